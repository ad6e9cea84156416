"""Files of annotation tools and frameworks that aren't read here, recognised by their shape and named with what to do."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from hope_bench.annotations.json_file import json_text
from hope_bench.errors import HopeBenchError
from hope_bench.files.reading import decode, open_bytes

Kind = Literal["object", "list", "lines", "xml", "csv", "text"]

_HEAD = 1 << 16
_AS_COCO = "Export it as COCO (object detection) from there, and name the JSON file."


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a file looks like: the keys of a JSON object, or of a list's or file of lines' first; a CSV header's columns; the root
    element of XML. `inner` are the keys of the first thing in each of an object's lists and objects, and of a list's first's."""

    kind: Kind
    keys: frozenset[str]
    inner: dict[str, frozenset[str]]
    text: str


@dataclass(frozen=True, slots=True)
class _Tool:
    name: str
    kinds: tuple[Kind, ...]
    keys: tuple[str, ...]
    advice: str = _AS_COCO
    inner: tuple[str, str] | None = None
    """A key, and one that the first thing below it has."""

    def made(self, shape: _Shape) -> bool:
        """Whether a file of that shape is this tool's."""
        there = self.inner is None or self.inner[1] in shape.inner.get(self.inner[0], ())
        return shape.kind in self.kinds and there and shape.keys.issuperset(self.keys)


_RESULTS = (
    "It is a model's output, and names neither images nor categories: name the annotations that it was scored against "
    "(instances_val2017.json, say)."
)

_TOOLS: tuple[_Tool, ...] = (
    _Tool(
        "detections in COCO's results format (pycocotools, Detectron2, MMDetection)",
        ("list",),
        ("image_id", "category_id", "score"),
        _RESULTS,
    ),
    _Tool("captions in COCO's results format", ("list",), ("image_id", "caption"), _RESULTS),
    _Tool("a COCO captions file", ("object",), ("annotations",), "Name the instances file, and this one with --captions.",
          ("annotations", "caption")),
    _Tool("a COCO panoptic file", ("object",), ("annotations",), "Name the instances file of the same images.",
          ("annotations", "segments_info")),
    _Tool("a VQA or RefCOCO file", ("object",), ("questions",), "Name an instances file of the same images."),
    _Tool("a list of Detectron2 dataset dicts", ("list",), ("file_name", "annotations"),
          "Write it with detectron2.data.datasets.convert_to_coco_json, and name that file."),
    _Tool("MMDetection's own annotation format", ("list",), ("filename", "ann"), "Convert it to COCO (MMDetection's tools do)."),
    _Tool("MMDetection's own annotation format", ("object",), ("metainfo", "data_list"),
          "Convert it to COCO (MMDetection's tools do)."),
    _Tool("a Labelbox export", ("list", "lines", "object"), ("data_row",),
          "Convert it to COCO with Labelbox's own converter (labelbox.data), and name the JSON file."),
    _Tool("a Labelbox export", ("list", "lines"), ("Labeled Data", "Label"),
          "Convert it to COCO with Labelbox's own converter (labelbox.data), and name the JSON file."),
    _Tool("a Label Studio export (JSON)", ("list", "object"), ("data", "annotations"),
          "Choose COCO in its export dialogue, and name the result.json in the archive."),
    _Tool("a Label Studio export (JSON-MIN)", ("list",), ("annotation_id",),
          "Choose COCO in its export dialogue, and name the result.json in the archive."),
    _Tool("a Label Studio export (CSV)", ("csv",), ("annotation_id", "annotator"),
          "Choose COCO in its export dialogue, and name the result.json in the archive."),
    _Tool("Supervisely annotations", ("object",), ("size", "objects"),
          "Run Supervisely's app 'Export to COCO', and name the JSON file.", ("size", "height")),
    _Tool("a Supervisely project's meta.json", ("object",), ("classes", "projectType"),
          "Run Supervisely's app 'Export to COCO', and name the JSON file."),
    _Tool("a VGG Image Annotator (VIA) project", ("object",), ("_via_img_metadata",),
          "Choose Annotation > Export Annotations (COCO format) in VIA, and name that file."),
    _Tool("a VGG Image Annotator (VIA 3) project", ("object",), ("project", "attribute", "metadata"),
          "Convert it to COCO, and name that file."),
    _Tool("VGG Image Annotator (VIA) annotations", ("csv",), ("filename", "region_shape_attributes"),
          "Choose Annotation > Export Annotations (COCO format) in VIA, and name that file."),
    _Tool("a CVAT export (XML)", ("xml",), ("annotations",), "Export the task as 'COCO 1.0', and name instances_default.json."),
    _Tool("one picture's Pascal VOC annotations", ("xml",), ("annotation",), "Name the folder that holds these files."),
    _Tool("a dlib (imglab) file", ("xml",), ("dataset",)),
    _Tool("one picture's LabelMe annotations", ("object",), ("shapes", "imagePath"), "Name the folder that holds these files."),
    _Tool("a FiftyOne dataset", ("object",), ("samples",),
          "Export it with dataset_type=fiftyone.types.COCODetectionDataset, and name its labels.json."),
    _Tool("a FiftyOne detection file", ("object",), ("classes", "labels"),
          "Export it with dataset_type=fiftyone.types.COCODetectionDataset, and name its labels.json."),
    _Tool("a Datumaro file", ("object",), ("categories", "items"),
          "Convert it (datum convert -f coco_instances), and name the file in annotations/."),
    _Tool("a CreateML file", ("list",), ("image", "annotations")),
    _Tool("a CreateML file", ("list",), ("imagefilename", "annotation")),
    _Tool("a VoTT project", ("object",), ("assets", "tags")),
    _Tool("a VoTT file", ("object",), ("asset", "regions")),
    _Tool("a Scale AI export", ("list", "lines"), ("task_id", "response")),
    _Tool("a V7 Darwin file", ("object",), ("item", "annotations")),
    _Tool("a V7 Darwin file", ("object",), ("dataset", "image", "annotations")),
    _Tool("BDD100K or Scalabel annotations", ("list",), ("name", "labels"), "Convert them (bdd100k.label.to_coco)."),
    _Tool("Scalabel annotations", ("object",), ("frames",), "Convert them (scalabel.label.to_coco)."),
    _Tool("Cityscapes annotations", ("object",), ("imgHeight", "imgWidth", "objects"), "Convert them to COCO."),
    _Tool("an Amazon SageMaker Ground Truth manifest", ("lines", "object"), ("source-ref",),
          "Convert it to COCO, and name that file."),
    _Tool("a Google Vertex AI (AutoML) file", ("lines", "object"), ("imageGcsUri",), "Convert it to COCO, and name that file."),
    _Tool("a Hasty export", ("object",), ("project_name", "label_classes")),
    _Tool("a SuperAnnotate file", ("object",), ("metadata", "instances")),
    _Tool("an Encord export", ("list", "object"), ("data_hash", "data_units")),
    _Tool("a Segments.ai release", ("object",), ("name", "dataset"), _AS_COCO, ("dataset", "samples")),
    _Tool("a Dataloop file", ("object",), ("filename", "annotations", "itemMetadata")),
    _Tool("a Kili export", ("list",), ("externalId", "labels")),
    _Tool("a table of boxes, as for TensorFlow", ("csv",), ("filename", "class", "xmin", "ymax"),
          "Export it as COCO instead (Roboflow and others offer both), and name the JSON file."),
    _Tool("a table of labels, as Roboflow's multi-class CSV", ("csv",), ("filename",),
          "Export it as COCO instead, and name the JSON file."),
    _Tool("COCO images without annotations (image_info)", ("object",), ("images", "categories"),
          "It lists no annotations: name an instances file of a split whose annotations are published."),
)  # fmt: skip

_BY_ENDING = {
    ".tfrecord": ("TensorFlow records", _AS_COCO), ".record": ("TensorFlow records", _AS_COCO),
    ".pkl": ("a pickle, which could run code when it is read", "Save it as COCO JSON where it was made."),
    ".pickle": ("a pickle, which could run code when it is read", "Save it as COCO JSON where it was made."),
    ".mat": ("a MATLAB file", "Convert it to COCO, and name that file."),
    ".zip": ("an archive", "Unpack it, and name the file or folder that comes out."),
    ".tar": ("an archive", "Unpack it, and name the file or folder that comes out."),
    ".tgz": ("an archive", "Unpack it, and name the file or folder that comes out."),
    ".gz": ("a compressed file", "Unpack it (gunzip), and name the file that comes out."),
    ".7z": ("an archive", "Unpack it, and name the file or folder that comes out."),
    ".rar": ("an archive", "Unpack it, and name the file or folder that comes out."),
    ".xlsx": ("a spreadsheet", "Export COCO from where it was made."),
}  # fmt: skip

_YOLO = "Name the folder that holds data.yaml, or classes.txt, which lists the classes one a line."

_LINES = (
    (
        r"\d+( +[-+.\deE]+){4}\s*",
        "one picture's YOLO labels",
        _YOLO,
    ),
    (
        r"\d+( +[-+.\deE]+){6,}\s*",
        "one picture's YOLO polygons",
        _YOLO,
    ),
    (
        r"(classes|train|valid|names|backup) *=.*",
        "darknet's list of files",
        "Name the folder that holds obj.names, and the pictures.",
    ),
    (r".*\S\.(jpe?g|png|bmp|webp|tiff?)\s*", "a list of pictures", "Name the annotations, and this as the --image-list."),
    (r"\S+( +-?[\d.]+){14,15}\s*", "one picture's KITTI labels", "Convert them to COCO, and name that file."),
    (r"(imagesource|gsd):.*|(-?[\d.]+ +){8}\S+ +\d\s*", "one picture's DOTA labels", "Convert them to COCO, and name that file."),
    (r"\d+,\d+(,-?[\d.]+){5,8}\s*", "tracks in MOT's format", "Convert them to COCO, and name that file."),
    (
        r"[^,]+(,-?\d+){4},[^,]+\.\w{3,4},\d+,\d+\s*",
        "makesense.ai's table of boxes",
        "Export rectangles as VOC XML (and name the folder), or as COCO JSON.",
    ),
    (
        r"\S+\.(jpe?g|png)( +\d+,\d+,\d+,\d+,\d+)+\s*",
        "a list of boxes as for keras-yolo",
        "Convert it to COCO, and name that file.",
    ),
)


def is_packed(path: Path) -> bool:
    """Whether a file is an archive, by its ending."""
    return "Unpack" in _BY_ENDING.get(path.suffix.lower(), ("", ""))[1]


def another_tool(path: Path) -> str | None:
    """Whose file this is and what to do, in two sentences; None where nothing says so."""
    tool = tool_of(path)
    return None if tool is None else f"{path} is {tool[0]}, which isn't read. {tool[1]}"


def tool_of(path: Path) -> tuple[str, str] | None:
    """What a file is, and what to do with it; None where nothing says so."""
    if path.suffix.lower() == ".names" and not path.is_dir():
        return "darknet's list of classes", "Name the folder that holds it, and the pictures."
    if path.suffix.lower() in _BY_ENDING and not path.is_dir():
        return _BY_ENDING[path.suffix.lower()]
    shape = _look(path)
    if shape is None:
        return None
    if shape.kind == "text":
        first = shape.text.splitlines()[0] if shape.text.strip() else ""
        found = next(((name, advice) for form, name, advice in _LINES if re.fullmatch(form, first)), None)
    else:
        found = next(((tool.name, tool.advice) for tool in _TOOLS if tool.made(shape)), None)
        if found is None and any({"filename", "regions"} <= keys for keys in shape.inner.values()):
            found = (
                "VGG Image Annotator (VIA) annotations",
                "Choose Annotation > Export Annotations (COCO format) in VIA, and name that file.",
            )
    if found is None or (shape.kind == "object" and _is_coco(shape)):
        return None
    return found


def _is_coco(shape: _Shape) -> bool:
    """An instances file after all, whatever is wrong with it."""
    of_other_kind = shape.inner.get("annotations", frozenset()) & {"caption", "segments_info"}
    return {"images", "annotations", "categories"} <= shape.keys and not of_other_kind


def _look(path: Path) -> _Shape | None:
    with open_bytes(path) as stream:
        head = stream.read(_HEAD)
    text = head.decode("utf-8-sig", errors="replace").lstrip()
    if text.startswith("<"):
        root = re.search(r"<([A-Za-z_][\w.-]*)", re.sub(r"<[?!][^>]*>", "", text))
        return None if root is None else _Shape("xml", frozenset((root[1],)), {}, text)
    if text.startswith(("{", "[")):
        return _look_at_json(path, text)
    header: list[str] = []
    with contextlib.suppress(csv.Error):  # a field without end
        header = next(csv.reader(io.StringIO(text, newline="")), [])
    if header and all(re.fullmatch(r"[A-Za-z_][\w ]*|", name.strip()) for name in header):
        return _Shape("csv", frozenset(name.strip() for name in header), {}, text)
    return _Shape("text", frozenset(), {}, text)


def _look_at_json(path: Path, text: str) -> _Shape | None:
    line = text.partition("\n")[0]
    try:
        with json_text(path) as data:
            found: Any = decode(data, cast(Any, dict[str, msgspec.Raw] | list[msgspec.Raw]))
            if isinstance(found, dict):
                return _Shape("object", frozenset(found), {key: _first_keys(raw) for key, raw in found.items()}, text)
            first = _keys(found[0]) if found else {}
            return _Shape("list", frozenset(first), {key: _first_keys(raw) for key, raw in first.items()}, text)
    except (HopeBenchError, msgspec.MsgspecError):
        pass
    try:
        return _Shape("lines", frozenset(decode(line.encode(), dict[str, msgspec.Raw])), {}, text)
    except msgspec.MsgspecError:
        return None


def _keys(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return decode(raw, dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return {}


def _first_keys(raw: msgspec.Raw) -> frozenset[str]:
    """The keys of an object, or of the first of a list."""
    try:
        listed: Any = decode(raw, list[msgspec.Raw])
    except msgspec.DecodeError:
        return frozenset(_keys(raw))
    return frozenset(_keys(listed[0])) if listed else frozenset()
