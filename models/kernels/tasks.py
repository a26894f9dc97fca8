"""What a model is for, to kernels, and by which number they count one of its pairs: the cell.

Of classes it is the number of the label, times one more than there are classes, plus that of the prediction, which is
the number of classes for one that is none of them; of the two classes of a binary model the positive one is 1. Of
numbers there is the one cell 0.
"""

from __future__ import annotations

BINARY, MULTICLASS, REGRESSION = range(3)
