"""Benchmarks in other languages: questions, P(yes), and the documented way of adding a language."""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from hope_bench.adapters.endpoint_reply import read_reply
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.adapters.yes_no import find_own_yes_no, find_yes_no, read_first_token
from hope_bench.adapters.yes_no_words import YesNoWords, p_yes_of
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.card import ModelCard, read_card
from hope_bench.files.language import LanguageTable, Noun, read_language, shipped_languages
from hope_bench.files.paraphrases import read_paraphrases
from hope_bench.files.result_file import read_result
from hope_bench.files.spec import BenchmarkSpec, read_spec
from hope_bench.languages.worder import make_worder
from hope_bench.records import Annotations, Category, Image
from hope_bench.search.attribute_bank import attribute_bank, relation_bank
from hope_bench.search.description import Describer
from tests.cli import Outcome, hope_bench
from tests.clips import save_tiny_clip
from tests.languages import worder
from tests.real_vocabulary import CHATML, dictated, vocabulary

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs" / "languages.md"


# Questions.

COCO = [line.split("\t") for line in (HERE / "coco_questions.tsv").read_text(encoding="utf-8").splitlines()]
"""COCO's 80 names with their German and Spanish question, each read by eye."""


@pytest.mark.parametrize(("place", "language"), [(1, "de"), (2, "es")])
def test_all_questions_about_coco(place: int, language: str) -> None:
    assert len(COCO) == 80
    asks = worder(language, *(row[0] for row in COCO))
    assert asks.notes() == ()
    assert [asks.existence(row[0]) for row in COCO] == [row[place] for row in COCO]


DESCRIBED = {
    "de": {
        ("attribute", "dog", "red"): "Ist auf dem Bild ein roter Hund zu sehen?",
        ("attribute", "cup", "red"): "Ist auf dem Bild eine rote Tasse zu sehen?",
        ("attribute", "car", "blue"): "Ist auf dem Bild ein blaues Auto zu sehen?",
        ("attribute", "skis", "White"): "Sind auf dem Bild weiße Skier zu sehen?",
        ("attribute", "broccoli", "green"): "Ist auf dem Bild grüner Brokkoli zu sehen?",
        ("attribute", "chair", "plastic"): "Ist auf dem Bild ein Stuhl aus Kunststoff zu sehen?",
        ("attribute", "pizza", "sliced"): "Ist auf dem Bild eine in Scheiben geschnittene Pizza zu sehen?",
        ("attribute", "cup", "chartreuse"): None,
        ("count", "dog", 1): "Ist auf dem Bild genau ein Hund zu sehen?",
        ("count", "cup", 1): "Ist auf dem Bild genau eine Tasse zu sehen?",
        ("count", "bus", 2): "Sind auf dem Bild genau zwei Busse zu sehen?",
        ("count", "scissors", 3): "Sind auf dem Bild genau drei Scheren zu sehen?",
        ("count", "skis", 2): None,
        ("count", "broccoli", 2): None,
        ("place", "cup", "left"): "Ist in der linken Hälfte des Bildes eine Tasse zu sehen?",
        ("place", "skis", "top"): "Sind in der oberen Hälfte des Bildes Skier zu sehen?",
        ("relation", "dog", "left", "cup"): "Ist auf dem Bild ein Hund links von der Tasse zu sehen?",
        ("relation", "cup", "right", "elephant"): "Ist auf dem Bild eine Tasse rechts vom Elefanten zu sehen?",
        ("relation", "dog", "left", "skis"): "Ist auf dem Bild ein Hund links von den Skiern zu sehen?",
        ("relation", "dog", "behind", "bear"): "Ist auf dem Bild ein Hund hinter dem Bären zu sehen?",
        ("relation", "person", "riding", "horse"): None,
        ("given", "ein roter Hund", "Is"): "Ist auf dem Bild Folgendes zu sehen: ein roter Hund?",
    },
    "es": {
        ("attribute", "dog", "red"): "¿Hay un perro rojo en la imagen?",
        ("attribute", "cup", "red"): "¿Hay una taza roja en la imagen?",
        ("attribute", "skis", "blue"): "¿Hay esquís azules en la imagen?",
        ("attribute", "scissors", "black"): "¿Hay tijeras negras en la imagen?",
        ("attribute", "bird", "white"): "¿Hay un ave blanca en la imagen?",
        ("attribute", "broccoli", "green"): "¿Hay brócoli verde en la imagen?",
        ("attribute", "chair", "wooden"): "¿Hay una silla de madera en la imagen?",
        ("count", "bird", 1): "¿Hay exactamente un ave en la imagen?",
        ("count", "train", 2): "¿Hay exactamente dos trenes en la imagen?",
        ("count", "scissors", 3): None,
        ("place", "cup", "right"): "¿Hay una taza en la mitad derecha de la imagen?",
        ("relation", "dog", "left", "bird"): "¿Hay un perro a la izquierda del ave en la imagen?",
        ("relation", "dog", "behind", "cup"): "¿Hay un perro detrás de la taza en la imagen?",
        ("relation", "dog", "under", "scissors"): "¿Hay un perro debajo de las tijeras en la imagen?",
        ("given", "dos perros", "Are"): "¿Hay dos perros en la imagen?",
    },
}


@pytest.mark.parametrize("language", DESCRIBED)
def test_descriptions_agree_with_their_noun(language: str) -> None:
    asks = worder(language, *(row[0] for row in COCO))
    assert {key: getattr(asks, key[0])(*key[1:]) for key in DESCRIBED[language]} == DESCRIBED[language]


@pytest.mark.parametrize("language", ["de", "es"])
def test_every_word_of_the_bank_has_every_form(language: str) -> None:
    """Each attribute that the bank can guess, of a noun of each gender: no * and no placeholder is left."""
    table = read_language(language)
    own = {f"thing {gender}": Noun(name=f"Ding {gender}", gender=gender) for gender in table.genders}
    asks = make_worder([Category(name) for name in own], language, own=own)
    made = [asks.attribute(name, value) for name in own for group in attribute_bank() for value in group.values]
    assert None not in made
    assert not [one for one in made if re.search(r"[*{}]|  | \?", str(one))]


def test_english_words_every_relation_that_is_known() -> None:
    asks = worder("en", "dog", "cup")
    for group in relation_bank():
        assert [asks.relation("dog", value, "cup") for value in group.values] == [
            f"Is there a dog {value} the cup in the image?" for value in group.values
        ]


def test_nouns_that_the_table_lacks() -> None:
    asks = worder("de", "Hund", "forklift", "Öl", forklift=Noun(name="Gabelstapler", gender="m", plural="Gabelstapler"))
    assert asks.existence("Hund") == "Ist auf dem Bild ein Hund zu sehen?"  # German already
    assert asks.existence("forklift") == "Ist auf dem Bild ein Gabelstapler zu sehen?"
    assert asks.existence("Öl") == "Zeigt das Bild folgendes Objekt: Öl?"
    assert (asks.attribute("Öl", "red"), asks.count("Öl", 2), asks.place("Öl", "left")) == (None, None, None)
    assert asks.relation("Hund", "left", "Öl") is None
    assert "1 category (Öl)" in asks.notes()[0]
    mass = worder("de", "salt", "cup", salt=Noun(name="Salz", gender="n", uncounted=True), cup=Noun(plural="Tässchen"))
    assert mass.existence("salt") == "Ist auf dem Bild Salz zu sehen?"
    assert mass.count("cup", 2) == "Sind auf dem Bild genau zwei Tässchen zu sehen?"  # the rest is the table's


@pytest.mark.parametrize(
    ("names", "own", "said"),
    [
        (["dog", "Hund"], {}, "would all be called 'hund'"),
        (["dog"], {"dgo": Noun(name="Hund")}, "no category is called so. Did you mean 'dog'"),
        (["dog"], {"dog": Noun(name="Hund", gender="x")}, "no gender 'x'. Known: f, m, n, plural"),
        (["dog"], {"dog": Noun(forms={"dativ": "Hund"})}, "no form 'dativ'. Did you mean 'dative'"),
    ],
)
def test_nouns_that_are_none(names: list[str], own: dict[str, Noun], said: str) -> None:
    with pytest.raises(HopeBenchError, match=re.escape(said)):
        worder("de", *names, **own)


def scene(*names: str) -> Annotations:
    """One image of 100 x 100 pixels, its things side by side in its upper half, all of them red."""
    boxes = np.array([[20 * place, 5, 10, 20] for place in range(len(names))], dtype=np.float32)
    return Annotations(
        categories=tuple(Category(name) for name in dict.fromkeys(names)), images=(Image("a.jpg", 100, 100),),
        starts=np.array([0, len(names)]), category_of=np.array([[*dict.fromkeys(names)].index(name) for name in names], np.int32),
        crowd=np.zeros(len(names), np.bool_), boxes=boxes, attributes={row: {"color": "red"} for row in range(len(names))},
    )  # fmt: skip


def test_what_cannot_be_worded_is_counted_and_the_search_stays_english() -> None:
    annotations = scene("cup", "cup", "dog", "gizmo")
    german = Describer(annotations, worder=worder("de", "cup", "dog", "gizmo"))
    english = Describer(annotations)
    said, plain = german.describe(0), english.describe(0)
    every, all_english = [*said.true, *said.false], [*plain.true, *plain.false]
    assert {one.caption for one in every} <= {one.caption for one in all_english}
    assert not any("gizmo" in one.caption for one in every)
    assert german.unworded == len(all_english) - len(every) > 0 == english.unworded
    questions = {one.caption: one.question for one in every}
    assert questions["exactly two cups"] == "Sind auf dem Bild genau zwei Tassen zu sehen?"
    assert questions["a red dog"] == "Ist auf dem Bild ein roter Hund zu sehen?"


# P(yes).


def first(
    vocabulary_: dict[str | bytes, int], likely: dict[str, float], language: str
) -> tuple[float | None, float | None, bool]:
    logits = torch.full((1, len(vocabulary_)), -30.0)
    for word, probability in likely.items():
        logits[0, vocabulary_[word]] = math.log(probability)

    def encode(text: str) -> list[int]:
        """The longest tokens, from the left."""
        ids = []
        text = f"▁{text.strip()}" if f"▁{text.strip()[:2]}" in vocabulary_ else text.strip()
        while text:
            known = [end for end in range(len(text), 0, -1) if text[:end] in vocabulary_]
            ids += [vocabulary_[text[: known[0]]]] if known else []
            text = text[known[0] :] if known else text[1:]
        return ids

    own = read_language(language).words()
    found = read_first_token(logits, find_yes_no(vocabulary_) if own is None else find_own_yes_no(vocabulary_, own, encode))
    p_yes, mass = found.scores(0)
    return None if p_yes is None else round(p_yes, 3), None if mass is None else round(mass, 3), bool(found.is_answer[0])


def words(*tokens: str) -> dict[str | bytes, int]:
    return {token: place for place, token in enumerate(("Yes", "No", "The", *tokens))}


@pytest.mark.parametrize(
    ("language", "vocabulary_", "likely", "expected"),
    [
        ("de", words("Ja", "Nein"), {"Ja": 0.6, "Nein": 0.3, "The": 0.1}, (0.667, 0.9, True)),
        ("de", words("ĠJa", "Nein"), {"ĠJa": 0.1, "Nein": 0.7, "Yes": 0.1, "No": 0.1}, (0.2, 1.0, True)),
        ("de", words("Ja", "Ne", "in"), {"Ja": 0.6, "Ne": 0.4}, (0.6, 1.0, True)),  # a first piece stands for its word
        ("de", words("Ja", "Ne", "in"), {"Ja": 0.3, "Ne": 0.7}, (0.3, 1.0, False)),  # and is no answer yet
        ("en", words("Ja", "Nein"), {"Yes": 0.6, "Ja": 0.4}, (None, 0.6, True)),
        ("de", words("Ja", "Nein", "Sí"), {"Ja": 0.6, "Sí": 0.4}, (None, 0.6, True)),
        ("es", words("SÃŃ"), {"SÃŃ": 0.7, "No": 0.3}, (0.7, 1.0, True)),  # "Sí", as byte-level vocabularies spell it
        ("es", words("Sí"), {"Sí": 0.3, "No": 0.7}, (0.3, 1.0, False)),  # "No veo ..." may follow
    ],
)
def test_the_first_position(
    language: str,
    vocabulary_: dict[str | bytes, int],
    likely: dict[str, float],
    expected: tuple[float | None, float | None, bool],
) -> None:
    assert first(vocabulary_, likely, language) == expected


@pytest.mark.parametrize("name", ["qwen3", "llama2"])
@pytest.mark.parametrize(("language", "yes", "no"), [("de", "Ja", "Nein"), ("es", "Sí", "No")])
def test_real_vocabularies(name: str, language: str, yes: str, no: str, real: Path) -> None:
    tokenizer = vocabulary(real, name)

    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    own = read_language(language).words()
    assert own is not None
    logits = torch.full((1, len(tokenizer)), -30.0)
    logits[0, encode(yes)[0]], logits[0, encode(no)[0]] = math.log(0.25), math.log(0.75)
    p_yes, mass = read_first_token(logits, find_own_yes_no(tokenizer.get_vocab(), own, encode)).scores(0)
    assert (p_yes, mass) == (pytest.approx(0.25, abs=1e-3), pytest.approx(1, abs=1e-3))


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ([("Ja", 0.6), (" nein", 0.3)], (2 / 3, 0.9)),
        ([("Ja", 0.75), ("Ne", 0.25)], (0.75, 1.0)),
        ([("The", 0.75), ("in", 0.25)], (None, 0.0)),
        ([("Ja", 0.5), ("Nein", 0.2), ("Oui", 0.3)], (None, 0.7)),
    ],
)
def test_servers(top: list[tuple[str, float]], expected: tuple[float | None, float]) -> None:
    german = YesNoWords.of(read_language("de").words())
    p_yes, mass = p_yes_of(((token, math.log(probability)) for token, probability in top), german)
    assert (p_yes, mass) == (expected[0] if expected[0] is None else pytest.approx(expected[0]), pytest.approx(expected[1]))


@pytest.mark.parametrize(
    ("says", "token", "top", "p_yes"),
    [
        ("Nein, kein Hund.", "Ne", [("Ne", 0.8), ("Ja", 0.2)], 0.2),
        ("Ja", "Ja", [("Ja", 0.75), ("Ne", 0.25)], 0.75),
        ("Neben dem Baum.", "Ne", [("Ne", 0.8), ("Ja", 0.2)], None),
    ],
)
def test_replies_that_begin_with_a_piece(says: str, token: str, top: list[tuple[str, float]], p_yes: float | None) -> None:
    listed = [{"token": name, "logprob": math.log(value)} for name, value in top]
    first_one = {"token": token, "logprob": math.log(dict(top)[token]), "top_logprobs": listed}
    choice = {"message": {"content": says}, "finish_reason": "stop", "logprobs": {"content": [first_one]}}
    german = YesNoWords.of(read_language("de").words())
    reply = read_reply({"choices": [choice]}, german)
    assert p_yes_of(reply.alternatives or (), german)[0] == (None if p_yes is None else pytest.approx(p_yes))


@pytest.mark.usefixtures("loads_processors_once")
def test_a_checkpoint_that_is_asked_in_german(qwen_llava: Path) -> None:
    model = TransformersModel(
        ModelCard(name="tiny", checkpoint=str(qwen_llava), chat_template=CHATML, device="cpu", path="plain")
    )
    model.load()
    asked = [(Picture.new("RGB", (56, 56)), "Ist auf dem Bild ein Hund zu sehen?")]
    for language, texts in (("de", {"Ja, ein Hund": "Ja", "Nein, kein Hund.": "Nein, kein Hund."}), ("en", {"Ja": "Ja"})):
        model.read_words(read_language(language).words())
        for text, kept in texts.items():
            with dictated(model, f"{text}<|im_end|>"):
                (answer,) = model.answer(asked)
            assert answer.text == kept
            assert answer.complete == (kept != "Ja" or language == "en")
            sure = answer.p_yes if text.startswith("Ja") else 1 - (answer.p_yes or 0)
            assert (answer.p_yes is None) if language == "en" else (sure == pytest.approx(1, abs=1e-3))


# Specs and tables.


def test_what_a_spec_may_say(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text('name = "x"\nlanguage = "own/xx.toml"\n', encoding="utf-8")
    assert read_spec(path).language == str(tmp_path / "own" / "xx.toml")
    for text, said in [
        ('language = "ger"', "no questions in language 'ger'. Known: de, en, es. Or name the file"),
        ('language = "fr"', "Its words for yes and no are known, but not how to ask"),
        ('language = "de"\nwording = "natural"', "how English asks"),
        ('prompt = "{Question}?"', "unknown placeholder {Question}. Did you mean 'question'"),
        ('prompt = "{question} {answer}"', "unknown placeholder {answer}"),
        ('prompt = "Answer."', 'holds no "{question}"'),
        ('language = "de"\n[nouns]\ndog = { genus = "m" }', "unknown key 'nouns.dog.genus'"),
        ('[clip]\nmodel = "x"\ntemplates = ["a {categroy}"]', "unknown placeholder {categroy}. Did you mean 'category'"),
    ]:
        path.write_text(f'name = "x"\n{text}\n', encoding="utf-8")
        with pytest.raises(HopeBenchError) as error:
            read_spec(path)
        assert said in str(error.value)
    assert BenchmarkSpec(name="x", prompt='{question} In \\boxed{yes}, or {"answer": 1}').prompt.startswith("{question}")


def test_cards_and_paraphrases_know_their_placeholders(tmp_path: Path) -> None:
    card, prompts = tmp_path / "card.toml", tmp_path / "prompts.toml"
    for key in ("prompt", "authors_prompt"):
        card.write_text(f'name = "m"\ncheckpoint = "a/b"\n{key} = "{{questions}}"\n')
        with pytest.raises(HopeBenchError, match=r"unknown placeholder \{questions\}. Did you mean 'question'"):
            read_card(card)
    prompts.write_text('polite = "Please: {question} {objct}"\n')
    with pytest.raises(HopeBenchError, match=r"polite is no prompt: unknown placeholder \{objct\}"):
        read_paraphrases(prompts)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Bild {a} {name}", "Bild {artikel} {name}", "questions.existence: unknown placeholder {artikel}"),
        ('gender = "f", plural = "Personen"', 'gender = "w"', "nouns.person: no gender 'w'"),
        ('left = "linken', 'links = "linken', "places: no place 'links'. Known: bottom, left, right, top"),
        ("{other_dative}", "{other_dativ}", "unknown placeholder {other_dativ}. Did you mean 'other_dative'"),
        ('a = "eine", ', "", "genders.f has no 'a'"),
        ("[answers]", "[antworten]", "unknown key 'antworten'"),
        ("plain =", "# plain =", "questions.plain is missing"),
    ],
)  # fmt: skip
def test_a_table_that_is_wrong(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = (HERE.parents[1] / "hope_bench" / "languages" / "de.toml").read_text(encoding="utf-8")
    path = tmp_path / "de.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(HopeBenchError) as error:
        read_language(str(path))
    assert said in str(error.value)


# From annotations to a result.

WORLD = {"dog": 6, "cat": 5, "car": 4, "cup": 3, "bird": 2}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A COCO file with English names, its images, a spec's beginning, and a model that answers in whatever a file tells."""
    (tmp_path / "images").mkdir()
    images, boxes = [], []
    for number in range(8):
        Picture.new("RGB", (64, 64), (number * 30, 90, 120)).save(tmp_path / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 64, "height": 64})
        for place, name in enumerate(list(WORLD)[number % 3 : number % 3 + 2]):
            box = {"image_id": number, "category_id": list(WORLD).index(name), "bbox": [2 + 36 * place, 2, 20, 20], "area": 400}
            boxes.append({"id": len(boxes), "iscrowd": 0, "attributes": {"color": ["red", "blue"][number % 2]}, **box})
    categories = [{"id": place, "name": name} for place, name in enumerate(WORLD)]
    (tmp_path / "coco.json").write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    (tmp_path / "model.toml").write_text('name = "stub"\ncheckpoint = "a/b"\nadapter = "stub.py:Stub"\n')
    return tmp_path


STUB = """
from hope_bench.adapters.base import RawAnswer

class Stub:
    identity = "stub"

    def __init__(self, card=None):
        pass

    def load(self):
        pass

    def answer(self, batch):
        return [{} for _, prompt in batch]
"""


def whole(capsys: pytest.CaptureFixture[str], data: Path, spec: str, says: str) -> tuple[Any, Outcome]:
    """generate, evaluate and score on the command line: the benchmark, and what generate printed."""
    (data / "spec.toml").write_text(spec, encoding="utf-8")
    (data / "stub.py").write_text(STUB.format(says), encoding="utf-8")
    files = ("--annotations", data / "coco.json", "--images", data / "images")
    made = hope_bench(capsys, "generate", data / "spec.toml", *files, "--out", data / "b", "--cache", data / "cache")
    assert made.code == 0, made.err
    runs = ("--runs", data / "runs")
    asked = hope_bench(capsys, "evaluate", "-m", data / "model.toml", "-b", data / "b", "--images", data / "images", *runs)
    assert asked.code == 0, asked.err
    run = next((data / "runs").glob("*/stub"))
    scored = hope_bench(capsys, "score", run, "-b", data / "b", "--results", data / "results", "--replicates", 100)
    assert scored.code == 0, scored.err
    return read_benchmark(data / "b"), made


SPEC = 'name = "klein"\nstrategies = ["random", "popular"]\nheadline = "popular"\nsample_images = 4\nk = 1\n[blind]\nimages = 0\n'


def test_a_german_benchmark_from_end_to_end(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = save_tiny_clip(data / "clip")
    nouns = '[nouns]\ncup = { name = "Becher", gender = "m" }\n'
    spec = f'language = "de"\n{SPEC.replace("popular", "description")}[clip]\nmodel = "{clip}"\n{nouns}'
    says = '"Nein, ich sehe keinen." if "Hund" in prompt else "Ja, das Bild zeigt das."'
    made, said = whole(capsys, data, spec, says)
    assert made.manifest.prompt == "Bitte antworte mit Ja oder Nein. {question}" == made.manifest.spec.prompt
    assert made.manifest.language.code == "de"
    every = [one for split in made.splits.values() for one in split]
    assert {one.object for one in every} <= set(WORLD)  # the annotations' names
    known = "(Hund|Katze|Auto|Becher|Vogel)"
    assert all(re.fullmatch(rf"(Ist|Sind) .*{known}.* zu sehen\?", one.text) for one in every), [one.text for one in every]
    result = read_result(next((data / "results").rglob("stub.json")))
    assert result.languages == ("de",)
    for name, split in made.splits.items():
        dogs = sum("Hund" in one.text for one in split if one.label == "yes")
        assert result.splits[name].on_yes.no == dogs
        assert result.splits[name].on_yes.unparsed + result.splits[name].on_no.unparsed == 0
    others = [one.description for one in every if one.description is not None]
    assert others
    assert not [one for one in others if re.search(known, one)]  # CLIP compares English words
    assert "can't be put in words" not in said.err


def test_the_language_as_a_flag_takes_the_place_of_a_specs_own(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "spec.toml").write_text(f'wording = "natural"\nprompt = "Answer yes or no. {{question}}"\n{SPEC}')
    where = ("--annotations", data / "coco.json", "--images", data / "images", "--cache", data / "cache")
    texts = {}
    for language in ("en", "es"):
        said = hope_bench(capsys, "generate", data / "spec.toml", *where, "--language", language, "--out", data / language)
        assert said.code == 0, said.err
        texts[language] = read_benchmark(data / language)
    assert texts["en"].manifest.language is None
    assert texts["en"].manifest.prompt == "Answer yes or no. {question}"
    assert texts["es"].manifest.prompt == "Responde sí o no, por favor. {question}"
    pairs = zip(texts["en"].splits["popular"], texts["es"].splits["popular"], strict=True)
    assert all((one.object, one.label, one.image) == (other.object, other.label, other.image) for one, other in pairs)
    started = hope_bench(
        capsys,
        "init",
        data / "coco.json",
        "--images",
        data / "images",
        "--language",
        "es",
        "--out",
        data / "new",
        "--name",
        "neu",
    )
    assert started.code == 0, started.err
    written = tomllib.loads((data / "new" / "spec.toml").read_text(encoding="utf-8"))
    assert (written["language"], written["prompt"]) == ("es", "Responde sí o no, por favor. {question}")


def documented() -> str:
    """The whole table that the docs give as an example."""
    blocks = re.findall(r"^```toml\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return next(block for block in blocks if 'code = "ja"' in block)


def test_a_language_is_added_as_the_docs_say(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "ja.toml").write_text(documented(), encoding="utf-8")
    says = {"犬": "いいえ、犬は写っていません。", "車": "はい", "猫": "猫が写っています。", "": "わかりません"}
    first_of = f"next(said for word, said in {says}.items() if word in prompt)"
    made, said = whole(capsys, data, f'language = "ja.toml"\n{SPEC}', first_of)
    assert made.manifest.language.code == "ja"
    assert made.manifest.prompt == "「はい」か「いいえ」で答えてください。{question}"
    assert "ja.toml" in [one.file for one in made.manifest.sources]
    verdicts = {"dog": "n", "car": "y", "cat": "y", "cup": "u", "bird": "u"}
    result = read_result(next((data / "results").rglob("stub.json")))
    texts = {"dog": "画像に犬が写っていますか？", "cup": "画像にカップが写っていますか？", "bird": "画像にbirdが写っていますか？"}
    for name, split in made.splits.items():
        order = {image: place for place, image in enumerate(made.manifest.images)}
        assert [verdicts[one.object] for one in sorted(split, key=lambda one: order[one.image])] == list(
            result.splits[name].verdicts
        )
        assert all(texts.get(one.object, one.text) == one.text for one in split)
    assert said.code == 0


def test_the_documented_tables_and_questions() -> None:
    text = DOCS.read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for block in blocks:
        data_ = tomllib.loads(block)
        if "prompt" in data_:
            LanguageTable.model_validate({"code": "xx", "answers": {"yes": ["y"], "no": ["n"]}, **data_})
        else:
            BenchmarkSpec.model_validate({"name": "x", "language": "de", **data_})
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ") and "?" in line
    ]
    asked = []
    for language in ("en", "de", "es"):
        asks = worder(language, "dog", "cup")
        described = [asks.attribute("cup", "red"), asks.count("dog", 2), asks.place("dog", "left")]
        asked.append([asks.existence("dog"), *described, asks.relation("dog", "left", "cup")])
    assert [list(row) for row in zip(*[row[1:] for row in rows if len(row) == 4], strict=True)] == asked
    assert shipped_languages() == ["de", "en", "es"]
