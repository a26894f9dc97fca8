"""What people install is whole: the wheel, made from the source distribution, holds the code behind the links."""

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import driftline

ROOT = Path(__file__).parents[2]

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
import driftline

for module in pkgutil.walk_packages(driftline.__path__, "driftline."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        print(module.name)
bare = {"models", "schemas", "streams"} & set(sys.modules)
assert not bare, bare
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel built from nothing but that."""
    folder = tmp_path_factory.mktemp("dist")
    # Without isolation: the build backend is the one that the lock file holds, and nothing is downloaded.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (wheel,) = distributions.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the wheel and, of this checkout, nothing."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    # The dependencies are lent from this environment instead of installed once more, which takes a minute. A plain path
    # entry reads no .pth file there, so the editable installation of the checkout does not come along.
    lent = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    (lent / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def sources() -> set[str]:
    """Every Python file of the package, as the wheel should name it."""
    folders = {"client": ROOT / "driftline" / "client"} | {
        name: ROOT / name for name in ("schemas", "models", "streams")
    }
    inside = {f"driftline/{name}/{p.relative_to(top)}" for name, top in folders.items() for p in top.rglob("*.py")}
    return inside | {f"driftline/{path.name}" for path in (ROOT / "driftline").glob("*.py")}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    inside = {name for name in names if ".dist-info/" not in name}
    assert {name for name in inside if name.endswith(".py")} == sources()
    assert "driftline/py.typed" in inside
    assert {name.split("/")[0] for name in inside} == {"driftline"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_source_distribution_holds_the_folders_in_place_of_the_links(distributions: Path) -> None:
    (archive,) = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {member.name.partition("/")[2] for member in opened.getmembers() if member.isfile()}
    assert sources() <= names
    assert names - {name for name in names if name.startswith("driftline/")} == {
        ".gitignore",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
    }


def test_every_module_is_imported_from_another_folder(installation: Path, tmp_path: Path) -> None:
    imported = run(installation / "python", "-W", "error", "-c", IMPORT_EVERYTHING, cwd=tmp_path).split()
    assert {"driftline.client", "driftline.schemas", "driftline.models", "driftline.streams"} <= set(imported)
    where = run(installation / "python", "-c", "import driftline.streams as s; print(s.__file__)", cwd=tmp_path)
    assert not Path(where.strip()).is_relative_to(ROOT)


def test_the_command_runs_from_another_folder(installation: Path, tmp_path: Path) -> None:
    assert driftline.__version__ in run(installation / "driftline", "--version", cwd=tmp_path)
    assert "replay" in run(installation / "driftline", "--help", cwd=tmp_path)


CLIENT_ONLY = """
import importlib, pkgutil, sys
import driftline.client

for module in pkgutil.walk_packages(driftline.client.__path__, "driftline.client."):
    importlib.import_module(module.name)
unwanted = {"aiokafka", "faust", "numpy", "prometheus_client", "rich", "river", "typer", "yaml"} & set(sys.modules)
assert not unwanted, unwanted
"""


def test_the_client_asks_for_no_more_than_the_base_installation(installation: Path, tmp_path: Path) -> None:
    run(installation / "python", "-c", CLIENT_ONLY, cwd=tmp_path)


def test_a_wheel_built_without_the_links_is_caught(tmp_path: Path) -> None:
    """The mutant: a checkout whose links are gone (as on a system that has none) builds a hollow wheel."""
    hollow = tmp_path / "checkout"
    (hollow / "driftline").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (hollow / name).write_bytes((ROOT / name).read_bytes())
    for path in (ROOT / "driftline").iterdir():
        if path.is_file():
            (hollow / "driftline" / path.name).write_bytes(path.read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, hollow, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with pytest.raises(AssertionError):
        test_the_wheel_holds_the_package_and_nothing_else(wheel)
