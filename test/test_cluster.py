"""Sets by a Dask cluster: the same bytes, though a worker and then the scheduler are killed."""

import threading
import time

import pytest
from cluster import Cluster
from radiographs import write_radiographs

from nodegen.dataset.dataset_plan import PlannedImage
from nodegen.dataset.dataset_settings import DatasetSettings
from nodegen.dataset.image_maker import make_elsewhere
from nodegen.dataset.make_dataset import make_dataset
from nodegen.dataset.sources import Source
from nodegen.errors import OutputError, SettingError
from nodegen.io.store import Store
from nodegen.settings import Settings

pytest.importorskip("distributed", reason="needs dask.distributed: pip install nodegen[cluster]")
ASKED = DatasetSettings(
    images=7, nodules=(0, 2), seed=3, formats=("csv",), render=Settings(method="paste")
)


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory):
    return write_radiographs(tmp_path_factory.mktemp("radiographs"))


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_worker_and_the_scheduler_are_killed_and_the_bytes_stay_the_same(radiographs, tmp_path):
    from distributed import LocalCluster

    output = tmp_path / "set"

    def break_it(cluster):
        for process, images in ((cluster.workers[0], 1), (cluster.scheduler, 3)):
            while len(list(output.glob("records/*.json"))) < images:
                time.sleep(0.005)
                assert process.poll() is None, cluster.log()
            process.kill()

    with Cluster(tmp_path / "cluster", workers=2) as cluster:
        thread = threading.Thread(target=break_it, args=[cluster], daemon=True)
        thread.start()
        with pytest.raises(OutputError, match="run the same command again to go on"):
            make_dataset([radiographs], output, ASKED, scheduler=str(cluster.file), progress=False)
        thread.join()
    done = {p: p.stat().st_mtime_ns for p in output.glob("records/*.json")}
    assert 3 <= len(done) < ASKED.images
    assert not (output / "SHA256SUMS").exists()

    # Threads of this process this time: cheaper, and the bytes must not mind.
    with LocalCluster(1, threads_per_worker=2, processes=False, dashboard_address=None) as local:
        address = local.scheduler_address
        made = make_dataset([radiographs], output, ASKED, scheduler=address, progress=False)
    assert made.complete
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())
    make_dataset([radiographs], tmp_path / "alone", ASKED, progress=False)
    assert content(output) == content(tmp_path / "alone")


def test_a_worker_with_another_nodegen_refuses(radiographs, tmp_path):
    source, item = Source("00000001_000.png", 0, "1"), PlannedImage("s00000", 0, "train", 0, 1)
    places = Store(str(tmp_path)), Store(str(radiographs))
    with pytest.raises(OutputError, match="install the same on all machines"):
        make_elsewhere("0.9", ASKED, *places, source, [item])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"scheduler": "tcp://127.0.0.1:9"}, "No Dask scheduler answers"),
        ({"scheduler": "nonsense"}, "No Dask scheduler answers"),
        ({"scheduler": "tcp://127.0.0.1:9", "workers": 2}, "leave --workers out"),
    ],
)
def test_what_cannot_be(radiographs, tmp_path, monkeypatch, more, words):
    monkeypatch.setattr("nodegen.dataset.make_dataset.CONNECT_S", 0.2)
    with pytest.raises(SettingError, match=words):
        make_dataset([radiographs], tmp_path / "set", ASKED, progress=False, **more)
