"""Tables of boxes: forms that are read, rows that are refused, one file for every command."""

import contextlib
import csv
import json
import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from radiographs import phantoms

from nodegen.cli import main
from nodegen.dataset.standardise import StandardisationTransform
from nodegen.errors import BoxesError
from nodegen.evaluation.boxed_images import read_real
from nodegen.evaluation.utility.cases import read_cases
from nodegen.io.boxes import Box
from nodegen.io.image import Geometry
from nodegen.io.read_box_table import read_box_table
from nodegen.io.stack import stack_writer
from research.lungs.places import COMPONENTS, read_places

BOX = (10.0, 20.0, 30.5, 40.0)


def table(tmp_path, content, name="boxes.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_box_table(path)


def coco(images, annotations, categories=({"id": 8, "name": "Nodule/Mass"},)):
    entries = [{"id": i, "file_name": name, **more} for i, (name, more) in enumerate(images)]
    return json.dumps(
        {"images": entries, "annotations": annotations, "categories": list(categories)}
    )


def boxes_of(found):
    return {
        image.name: [(b.x, b.y, b.width, b.height) for b in image.boxes] for image in found.images
    }


@pytest.mark.parametrize(
    "text",
    [
        "img_name,x,y,width,height\nn1.mha,10,20,30.5,40\nc1.mha,,,,\n",
        "img_name,label,x,y,width,height\nn1.mha,1,10,20,30.5,40\nc1.mha,0,0,0,0,0\n",
        "img_name,label,x,y,width,height\nn1.mha,1.0,10,20,30.5,40\nc1.mha,0.0,0,0,0,0\n",
        "img_name,label,x,y,width,height\nn1.mha, 1,10,20,30.5,40\nc1.mha, 0,0,0,0,0\n",
        "img_name,label,x,y,width,height\nn1.mha,True,10,20,30.5,40\nc1.mha,False,0,0,0,0\n",
        "height,img_name,label,width,x,y\r\n40,n1.mha,1,30.5,10,20\r\n0,c1.mha,0,0,0,0\r\n",
        "image_id,class_name,x_min,y_min,x_max,y_max\n"
        "n1.mha,Lung nodule,10,20,40.5,60\nc1.mha,No finding,,,,\nc1.mha,Cardiomegaly,1,2,30,40\n",
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
        "n1.mha,Nodule,10,20,30.5,40,,,\nc1.mha,Mass,1,2,30,40,,,\n",
        "file;left;top;right;bottom\nn1.mha;1,0e1;20;40,5;60\nc1.mha;;;;\n".replace("1,0e1", "10"),
        "sep=;\nfile;left;top;right;bottom\nn1.mha;10;20;40,5;60\nc1.mha;;;;\n",
        'stem\tX\tY\tWidth\tHeight\n"n1.mha"\t"1e1"\t+20\t30,5\t40.\n\nc1.mha\t\t\t\t\n',
        '"img_name","x","y","width","height"\n"n1.mha","10","20","30.50","40"\n"c1.mha","","","",""',
        "filename,width,height,class,xmin,ymin,xmax,ymax\n"
        "n1.mha,30.5,40,nodule,10,20,40.5,60\nc1.mha,,,,,,,\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_usual_forms_say_the_same(tmp_path, text, encoding):
    found = table(tmp_path, text.encode(encoding))
    assert boxes_of(found) == {"n1.mha": [BOX], "c1.mha": []}


def test_coco_says_the_same(tmp_path):
    box = {"image_id": 0, "category_id": 8, "bbox": list(BOX)}
    other = {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]}
    classes = ({"id": 3, "name": "Cardiomegaly"}, {"id": 8, "name": "Nodule/Mass"})
    for more in ({"iscrowd": 1}, {"ignore": 1}, {"ignored": True}):
        crowd = {"image_id": 1, "category_id": 8, "bbox": [1, 2, 3, 4], **more}
        text = coco([("n1.mha", {}), ("c1.mha", {})], [box, other, crowd], classes)
        found = table(tmp_path, text, "boxes.json")
        assert boxes_of(found) == {"n1.mha": [BOX], "c1.mha": []}
        assert [image.others_unboxed for image in found.images] == [False, True]


def test_annotation_sources_and_nodules_without_a_box_are_carried(tmp_path):
    found = table(
        tmp_path,
        "stem,x,y,width,height,source,trust,others_unboxed\n"
        'a,1,2,30,40,NIH,"official, loose",0\na,5,6,30,40,NIH,doubtful,1\nb,1,2,30,40,NIH,,0\n',
    )
    assert [[box.source for box in image.boxes] for image in found.images] == [
        ["official, loose", "doubtful"], [""],
    ]  # fmt: skip
    assert [image.others_unboxed for image in found.images] == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        coco([("a.png", {"width": 2048, "height": 1024})],
             [{"image_id": 0, "category_id": 8, "bbox": [200, 100, 80, 60]}]),
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,2048,1024,nodule,200,100,280,160\n",
    ],
)  # fmt: skip
def test_boxes_are_brought_from_the_size_that_the_table_says(tmp_path, text):
    (image,) = table(tmp_path, text).images
    assert image.fitted((512, 1024)) == [Box(0, 100, 50, 140, 80)]
    with pytest.raises(BoxesError, match=r"given for 2048 x 1024 px"):
        image.fitted((1024, 1024))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "has the columns a, b"),
        ("", "has the columns none"),
        ("stem,x,y,width,height\nq,1,2,three,4\n", "Line 2 .*'three'"),
        ("stem,x,y,width,height\nq,1,2,3,4\nq,1,2,0,4\n", "Line 3 .*above 0"),
        ("stem,x,y,width,height\nq,inf,2,3,4\n", "Line 2 .*'inf'"),
        ("stem,x,y,width,height\nq,1,nan,3,4\n", "Line 2 .*'nan'"),
        ("stem,x,y,width,height\nq,1,1e999,3,4\n", "Line 2 .*'1e999'"),
        ("stem,x,y,width,height\nq,1,2,3\n", "Line 2 .*''"),
        ("stem,x,y,width,height\nq,1,2,3,4,5\n", "Line 2 .*6 fields where the header names 5"),
        ("stem,x,y,width,height\nq,10,5,20,30,40\n", "Line 2 .*6 fields"),
        ('stem,x,y,width,height\nq,"10,5",2,3,4\n', "Line 2 .*'10,5'"),
        ("stem,x,y,width,height\n,1,2,3,4\n", "Line 2 .*names no image"),
        ("stem,left,top,right,bottom\nq,30,2,10,40\n", "Line 2 .*-20 x 38"),
        ("stem,label,x,y,width,height\nq,1,,,,\n", "Line 2 .*''"),
        ("stem,label,x,y,width,height\nq,7,1,2,3,4\n", "Line 2 .*label 7"),
        ("stem,label,x,y,width,height\nq,Effusion,1,2,3,4\n", "labels its boxes Effusion"),
        ("stem,x,x,y,width,height\nq,1,1,2,3,4\n", "column x twice"),
        ('stem,x,y,width,height\nq,"' + "1" * 200_000 + '",2,3,4\n', "Line 2 .*CSV"),
        ("{", "not of COCO's form"),
        ("[]", "not of COCO's form"),
        ("[" * 100_000, "not of COCO's form"),
        (coco([], [{"image_id": 1, "bbox": [1, 2, 3, 4]}]), "does not list"),
        (coco([("a", {})], [{"image_id": 0, "category_id": 9, "bbox": [1, 2, 3, 4]}]), "category"),
        (coco([("a", {})], [{"image_id": 0, "category_id": 8, "bbox": [1, 2, 3]}]), "Annotation 0"),
        (coco([("a", {})], [{"image_id": 0, "category_id": 8, "bbox": [1, 2, 3, True]}]), "'True'"),
        (coco([("a", {})], [{"image_id": 0, "category_id": 8, "bbox": [1, 2, float("nan"), 4]}]),
         "'nan'"),
        (coco([("a", {"width": 0, "height": 5})], []), "size as 0 x 5"),
        (coco([("a", {})], [], [{"id": 1, "name": "Cardiomegaly"}]), "categories Cardiomegaly"),
        (coco([("a", {})], [], [{"id": 1, "name": "no nodule"}]), "none is a nodule"),
        (coco([("a", {})], [{"image_id": 0, "category_id": [], "bbox": [1, 2, 3, 4]}]), "COCO's"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path, text, says):
    with pytest.raises(BoxesError, match=says) as fault:
        table(tmp_path, text)
    assert "boxes.csv" in str(fault.value)
    assert str(fault.value).endswith(".")


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(BoxesError, match="cannot be read"):
        read_box_table(tmp_path / "boxes.csv")


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_other_content_is_refused(tmp_path_factory, content):
    with contextlib.suppress(BoxesError):
        table(tmp_path_factory.getbasetemp(), content, "any.csv")


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    ["n2", "n2.mha", "n2.MHA", "N2.jpeg", r"images\n2.mha", r"C:\x\n2.mha", "./a/n2.dcm", "n2.tif"],
)
def test_names_match_without_suffix_folder_and_case(tmp_path, row):
    found = table(tmp_path, f"stem,x,y,width,height\n{row},1,2,3,4\n").match(["n1.mha", "b/n2.mha"])
    assert [image and image.name for image in found] == [None, row]


@pytest.mark.parametrize(
    ("rows", "names", "matched"),
    [
        (["a/n1", "b/n1"], ["b/n1.mha", "a/n1.mha"], ["b/n1", "a/n1"]),
        (["n1.png", "N1.png"], ["N1.mha", "n1.mha"], ["N1.png", "n1.png"]),
        (["s:0", "s:1"], ["s:1", "s:0"], ["s:1", "s:0"]),
        (["1.2.840.5"], ["1.2.840.5"], ["1.2.840.5"]),
    ],
)
def test_names_match_exactly_where_several_are_alike(tmp_path, rows, names, matched):
    lines = [f"{row},1,2,3,4" for row in rows]
    found = table(tmp_path, "\n".join(["stem,x,y,width,height", *lines])).match(names)
    assert [image.name for image in found] == matched
    assert sum(len(image.boxes) for image in found) == len(rows)


@pytest.mark.parametrize(
    ("rows", "names", "says"),
    [
        (["n1", "n3"], ["n1.mha", "n2.mha"], "names n3, .* while there is no row for n2.mha"),
        (["n3"], ["n1.mha"], "names n3"),
        (["n1"], ["a/n1.mha", "b/n1.mha"], "name the folder, too"),
        (["a/n1", "b/n1"], ["n1.mha"], "may be either"),
        (["n1", "n1.png"], ["n1.mha"], "name each image in one way"),
    ],
)
def test_rows_that_match_no_image_are_named(tmp_path, rows, names, says):
    lines = [f"{row},1,2,3,4" for row in rows]
    found = table(tmp_path, "\n".join(["stem,x,y,width,height", *lines]))
    with pytest.raises(BoxesError, match=says):
        found.match(names)


def test_rows_of_other_images_are_left_out_and_named(tmp_path, caplog):
    found = table(tmp_path, "stem,x,y,width,height\nn1,1,2,3,4\nn3,1,2,3,4\n")
    with caplog.at_level(logging.WARNING):
        assert [image.name for image in found.match(["n1.mha"])] == ["n1"]
    assert "n3" in caplog.text


def test_nodules_json_is_the_table_of_its_stack(make_input):
    place = make_input(boxes=((1, 60, 60, 100, 110), (1, 9, 8, 40, 50)), shape=(3, 300, 320))
    found = read_box_table(place / "nodules.json")
    whole = [f"77.mha:{number}" for number in range(3)]
    rows = found.match(whole)
    assert [len(row.boxes) for row in rows] == [0, 2, 0]
    assert rows[1].fitted((300, 320)) == [Box(0, 60, 60, 100, 110), Box(0, 9, 8, 40, 50, 1)]
    assert found.match([f"{place}/{name}" for name in whole] + ["b/c.png"]) == [*rows, None]
    images = read_real([place], [read_box_table(place / "nodules.json")])
    assert [(one.name, list(one.boxes)) for one in images] == [("77:1", rows[1].fitted((300, 320)))]
    with pytest.raises(BoxesError, match="boxes in slice 1, and the stack has 1 slices"):
        found.match(["77.mha"])
    with pytest.raises(BoxesError, match="of one stack, and 2 files are given"):
        found.match(["a.mha", "b.mha"])


# --- every command --------------------------------------------------------------------------------


FOUND = {"n1": (Box(0, 60, 70, 100, 115),), "n2": (Box(0, 200, 60, 240, 90),), "c1": ()}


@pytest.fixture
def real(tmp_path):
    """Three radiographs, and their boxes as NODE21 and as a spreadsheet would write them."""
    rng = np.random.default_rng(0)
    for name in FOUND:
        path = tmp_path / "real" / f"{name}.mha"
        path.parent.mkdir(exist_ok=True)
        y, x = np.indices((300, 320))
        pixels = 1500 + 400 * np.sin(x / 150) + y + rng.normal(0, 25, y.shape)
        with stack_writer(path, Geometry.plain(2), (1, *pixels.shape), np.uint16) as write:
            write(pixels.astype(np.uint16))
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(
        "img_name;label;x;y;width;height\nN1.MHA;1,0;60,0;70,0;40,0;45,0\n"
        "images\\n2.jpeg;1,0;200;60;40;30\nc1.mha;0,0;0;0;0;0\n",
        encoding="utf-8-sig",
    )
    return tmp_path / "real", boxes


def test_every_command_reads_the_same_boxes(real, tmp_path, make_input, capfd):
    folder, boxes = real
    with_nodules = {name: list(found) for name, found in FOUND.items() if found}
    images = read_real([folder], [read_box_table(boxes)])
    assert {one.name: list(one.boxes) for one in images} == with_nodules
    cases = read_cases([folder], None, [read_box_table(boxes)], (20, 400))
    assert {case.name: case.nodules for case in cases} == FOUND
    given = ["--real", str(folder), "--boxes", str(boxes)]
    assert main(["reference", *given, "--output", str(tmp_path / "reference.json")]) == 0
    made = ["--synthetic", str(make_input(boxes=((0, 60, 60, 100, 105),)))]
    assert main(["sheet", *given, *made, "--output", str(tmp_path / "sheet.png")]) == 0
    study = ["--kind", "rating", "--cases", "2", "--practice", "0", "--candidates", "1"]
    study += ["--method", "paste", "--output", str(tmp_path / "study.html")]
    assert main(["reader-study", *given, *study]) in (0, 2)
    assert "boxes.csv" not in capfd.readouterr().err


def test_standardise_takes_the_same_table_along(real, tmp_path):
    """The same file, of radiographs with lungs; boxes come back to where they were."""
    (tmp_path / "films").mkdir()
    for name, pixels in zip(FOUND, phantoms(), strict=True):
        with stack_writer(tmp_path / "films" / f"{name}.mha", Geometry.plain(2),
                         (1, *pixels.shape), np.uint16) as write:  # fmt: skip
            write(pixels)
    table = tmp_path / "moved.csv"
    text = real[1].read_text(encoding="utf-8-sig")
    table.write_text(text.replace("60,0;70,0;", "160,0;170,0;"), encoding="utf-8-sig")
    command = ["standardise", str(tmp_path / "films"), "--output", str(tmp_path / "o")]
    assert main([*command, "--boxes", str(table)]) == 0
    rows = list(csv.DictReader((tmp_path / "o" / "boxes.csv").open()))
    assert [(r["img_name"], r["label"]) for r in rows] == [
        ("c1.mha", "0"), ("n1.mha", "1"), ("n2.mha", "1")]  # fmt: skip
    crops = json.loads((tmp_path / "o" / "crops.json").read_text())
    for row, box in zip(rows[1:], ((160, 170, 200, 215), (200, 60, 240, 90)), strict=True):
        left, top, width, height = (int(row[name]) for name in ("x", "y", "width", "height"))
        transform = StandardisationTransform.from_dict(crops[row["img_name"]])
        back = transform.inverse_box((left, top, left + width, top + height))
        assert back == pytest.approx(box, abs=1)


def test_the_density_of_places_is_fitted_to_the_same_table(real, tmp_path):
    boxes = tmp_path / "many.csv"
    lines = [f"n{i}.mha;1;{100 + i};200;40;30" for i in range(max(COMPONENTS) + 1)]
    boxes.write_text("\n".join(["img_name;label;x;y;width;height", *lines, "c1;0;0;0;0;0"]))
    found = read_places(boxes)
    assert len(found) == len(lines)
    assert np.isfinite(found[["x", "y", "width", "height"]]).all(axis=None)
