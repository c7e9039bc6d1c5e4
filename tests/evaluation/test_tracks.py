from __future__ import annotations

from pathlib import Path

import pytest

from savant_reid.errors import DataError
from savant_reid.evaluation import COLUMNS, read_tracks

HEADER = ",".join(COLUMNS)
GOOD = "hall,0,1,5,1.5,2,30,90,0.9,0"


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "T.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_reads_what_the_contract_says(tmp_path: Path) -> None:
    tracks = read_tracks(
        write(tmp_path, f"{HEADER}\n{GOOD}\ndoor,3,,-1,-4,0,10,10,1,120000000\nhall,1,1,5,1,1,1,1,0,1\n")
    )
    assert tracks.cameras == ("hall", "door")
    assert tracks.camera.tolist() == [0, 1, 0]
    assert tracks.frame.tolist() == [0, 3, 1]
    assert tracks.track_id.tolist() == [1, -1, 1]
    assert tracks.global_id.tolist() == [5, -1, 5]
    assert tracks.boxes[0].tolist() == [1.5, 2, 30, 90]
    assert tracks.time_ns.tolist() == [0, 120_000_000, 1]


@pytest.mark.parametrize("text", [f"{HEADER}\r\n{GOOD}\r\n", f"\ufeff{HEADER}\n{GOOD}", f"{HEADER}\n\n{GOOD}\n\n"])
def test_takes_the_habits_of_other_systems(tmp_path: Path, text: str) -> None:
    assert len(read_tracks(write(tmp_path, text))) == 1


def test_a_header_alone_is_no_row(tmp_path: Path) -> None:
    tracks = read_tracks(write(tmp_path, HEADER + "\n"))
    assert (len(tracks), tracks.cameras, tracks.boxes.shape) == (0, (), (0, 4))


def test_ids_of_64_bits_stay_exact(tmp_path: Path) -> None:
    big = 2**63 - 1
    tracks = read_tracks(write(tmp_path, f"{HEADER}\nhall,0,{big},{big - 1},0,0,1,1,1,{big}\n"))
    assert (tracks.track_id[0], tracks.global_id[0], tracks.time_ns[0]) == (big, big - 1, big)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the header camera,frame,.*, found an empty file"),
        (b"\xff\xfe\x00\x01", "expected a csv file in UTF-8"),
        ("camera,frame,id\n", "line 1: expected the header camera,.*, found camera,frame,id"),
        (f"{GOOD}\n", "line 1: expected the header"),
        (f"{HEADER}\n{GOOD},7\n", "line 2: expected 10 fields, found 11"),
        (f"{HEADER}\n{GOOD}\nhall,1,1,5,1.5\n", "line 3: expected 10 fields, found 5"),
        (f"{HEADER}\n,0,1,5,1,2,30,90,0.9,0\n", "line 2: camera: expected a name, found ''"),
        (f"{HEADER}\nhall,0.5,1,5,1,2,30,90,0.9,0\n", "line 2: frame: expected an integer >= 0, found '0.5'"),
        (f"{HEADER}\nhall,-1,1,5,1,2,30,90,0.9,0\n", "line 2: frame: expected an integer >= 0, found '-1'"),
        (
            f"{HEADER}\nhall,0,x,5,1,2,30,90,0.9,0\n",
            "line 2: track_id: expected an integer >= -1 or nothing, found 'x'",
        ),
        (f"{HEADER}\nhall,0,1,,1,2,30,90,0.9,0\n", "line 2: global_id: expected an integer >= -1, found ''"),
        (f"{HEADER}\nhall,0,1,-2,1,2,30,90,0.9,0\n", "line 2: global_id: .* found '-2'"),
        (f"{HEADER}\nhall,0,1,{2**63},1,2,30,90,0.9,0\n", "line 2: global_id: .* found '9223372036854775808'"),
        (f"{HEADER}\nhall,0,1,5,left,2,30,90,0.9,0\n", "line 2: left: expected a number, found 'left'"),
        (f"{HEADER}\nhall,0,1,5,1,nan,30,90,0.9,0\n", "line 2: top: expected a number, found 'nan'"),
        (f"{HEADER}\nhall,0,1,5,inf,2,30,90,0.9,0\n", "line 2: left: expected a number, found 'inf'"),
        (f"{HEADER}\nhall,0,1,5,1,2,0,90,0.9,0\n", "line 2: width: expected a number > 0, found '0'"),
        (f"{HEADER}\nhall,0,1,5,1,2,30,-9,0.9,0\n", "line 2: height: expected a number > 0, found '-9'"),
        (f"{HEADER}\nhall,0,1,5,1,2,30,90,1.1,0\n", "line 2: confidence: expected a number from 0 to 1, found '1.1'"),
        (f"{HEADER}\nhall,0,1,5,1,2,30,90,0.9,1e9\n", "line 2: time_ns: expected an integer of 64 bits, found '1e9'"),
        (f"{HEADER}\n{GOOD}\n{GOOD}\n", r"line 3: track_id: .* found 1 again in frame 0 of hall \(first in line 2\)"),
    ],
)
def test_careless_files_are_refused_by_line_and_column(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as error:
        read_tracks(path)
    assert str(error.value).startswith(str(path))


def test_nobody_and_no_track_may_be_there_often(tmp_path: Path) -> None:
    rows = "hall,0,,-1,0,0,9,9,1,0\nhall,0,,-1,50,0,9,9,1,0\nhall,1,1,5,0,0,9,9,1,0\ndoor,1,1,5,0,0,9,9,1,0\n"
    assert len(read_tracks(write(tmp_path, f"{HEADER}\n{rows}"))) == 4


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.csv: cannot be read: No such file"):
        read_tracks(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_tracks(tmp_path)
