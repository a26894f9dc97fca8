// Sends a record to each model_id given, as README tells Java's producers to: nothing set, keyed by model_id.
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class Produce {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
            for (int i = 2; i < arguments.length; i++) {
                var sent = producer.send(new ProducerRecord<>(arguments[1], arguments[i], "{}")).get();
                System.out.println(sent.partition());
            }
        }
    }
}
