"""Answers in other languages, as their tables read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.language import AnswerWords, read_language
from hope_bench.scoring.languages import LANGUAGES, find_words
from hope_bench.scoring.parsing import parse_answer, parse_strict
from tests.languages import worder

HERE = Path(__file__).parent

ANSWERS = [line.split("\t") for line in (HERE / "foreign_answers.tsv").read_text(encoding="utf-8").splitlines()]
"""Language, noun that is asked about, verdict, answer."""


def test_answers() -> None:
    wrong = [
        (language, text, read)
        for language, noun, verdict, text in ANSWERS
        for asks in [worder(language, noun)]
        if (read := parse_answer(text, asks.existence(noun), asks.table.words())) != verdict
    ]
    assert wrong == []
    assert len(ANSWERS) > 60
    assert parse_answer("SI\u0301", "", read_language("es").words()) == "yes"  # as some keyboards compose it
    assert parse_answer("", "", read_language("de").words()) == "unparsed"


@pytest.mark.parametrize(
    ("language", "asked", "text", "verdict"),
    [
        ("de", "cake", "Ich sehe eine Küche.", "unparsed"),  # a kitchen; cake is "Kuchen"
        ("de", "sports ball", "Ein Ballon ist zu sehen.", "unparsed"),
        ("de", "car", "Ein Autobus ist zu sehen.", "unparsed"),
        ("es", "cup", "Hay un tazón en la imagen.", "unparsed"),
        ("es", "airplane", "No se ven aviones.", "no"),
        ("es", "wine glass", "Hay una copa de vino.", "yes"),
    ],
)
def test_only_the_thing_itself_counts(language: str, asked: str, text: str, verdict: str) -> None:
    asks = worder(language, asked)
    assert parse_answer(text, asks.existence(asked), asks.table.words()) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("Ich sehe keinen roten Hund.", "no"), ("Ich sehe einen roten Hund.", "yes"), ("Ich sehe einen braunen Hund.", "unparsed"),
     ("Ich sehe keine Katze.", "unparsed"), ("Nein, er ist braun.", "no")],
)  # fmt: skip
def test_answers_to_a_description(text: str, verdict: str) -> None:
    asks = worder("de", "dog")
    assert parse_answer(text, str(asks.attribute("dog", "red")), asks.table.words()) == verdict


SPACED = AnswerWords(
    code="de", yes=("ja", "jawohl", "auf jeden fall", "si"), no=("nein", "nö", "auf keinen fall"), alone=("si", "nö"),
    none_of=("kein", "keinen", "keine"), negators=("nicht",), affirm=("sehe", "zu sehen"), pronouns=("ihn", "keinen"),
    fillers=("ich", "hier"), doubt=("vielleicht", "nicht sicher"), endings=("e", "en", "es"),
    frame=("auf", "bild", "dem", "ein", "ist", "sehen", "zu"),
)  # fmt: skip
SPANISH = AnswerWords(code="es", yes=("sí", "si"), no=("no", "para nada"), alone=("no", "si"), frame=("hay",))
DOG, RED_DOG = "Ist auf dem Bild ein Hund zu sehen?", "Ist auf dem Bild ein roter Hund zu sehen?"


@pytest.mark.parametrize(
    ("words", "question", "text", "verdict"),
    [
        # Yes and no begin or end a clause, those of several words, too; what is `alone` is a clause, the usual also ends one.
        (SPACED, DOG, "ja", "yes"),
        (SPACED, DOG, "ja mein freund", "yes"),
        (SPACED, DOG, "ich meine ja", "yes"),
        (SPACED, DOG, "ich meine ja doch", "unparsed"),
        (SPACED, DOG, "nein mein freund", "no"),
        (SPACED, DOG, "ich meine nein", "no"),
        (SPACED, DOG, "auf jeden fall", "yes"),
        (SPACED, DOG, "das auf jeden fall", "yes"),
        (SPACED, DOG, "auf jeden fall das", "yes"),
        (SPACED, DOG, "das auf jeden fall nun", "unparsed"),
        (SPACED, DOG, "auf keinen fall das", "no"),
        (SPACED, DOG, "jawohl das", "yes"),
        (SPACED, DOG, "si", "yes"),
        (SPACED, DOG, "si das", "unparsed"),
        (SPACED, DOG, "das si", "unparsed"),
        (SPACED, DOG, "nö", "no"),
        (SPACED, DOG, "das nö", "unparsed"),
        (SPACED, DOG, "ja oder nein", "unparsed"),
        (SPACED, DOG, "nein oder ja", "unparsed"),
        (SPACED, DOG, "so ja oder nein oder", "unparsed"),
        (SPACED, DOG, "ja das auf keinen fall", "unparsed"),
        (SPACED, DOG, "ja? nein.", "no"),
        (SPACED, DOG, "hm. nein. ja.", "no"),
        (SPANISH, "Hay perros", "no", "no"),
        (SPANISH, "Hay perros", "creo que no", "no"),
        (SPANISH, "Hay perros", "no lo tengo", "unparsed"),
        (SPANISH, "Hay perros", "creo que si", "unparsed"),
        (SPANISH, "Hay perros", "sí lo tengo", "yes"),
        (SPANISH, "Hay perros", "si", "yes"),
        (SPANISH, "Hay perros", "para nada lo tengo", "no"),
        # What a clause states of the thing.
        (SPACED, DOG, "ich sehe den hund", "yes"),
        (SPACED, DOG, "ich sehe hunde", "yes"),
        (SPACED, DOG, "hund", "yes"),
        (SPACED, DOG, "ein hund ist hier", "yes"),
        (SPACED, DOG, "ein schöner hund", "unparsed"),
        (SPACED, DOG, "ein schöner hund zu sehen", "yes"),
        (SPACED, DOG, "hund sehen", "yes"),
        (SPACED, DOG, "die katze ist zu sehen", "unparsed"),
        (SPACED, DOG, "kein hund", "no"),
        (SPACED, DOG, "kein roter hund", "no"),
        (SPACED, DOG, "kein schöner roter hund", "no"),
        (SPACED, DOG, "kein sehr schöner roter hund", "unparsed"),
        (SPACED, DOG, "ich sehe keine katze sondern den hund", "unparsed"),
        (SPACED, DOG, "den hund aber keine katze", "unparsed"),
        (SPACED, DOG, "ich sehe den hund und keine katze", "unparsed"),
        (SPACED, DOG, "nicht hund", "no"),
        (SPACED, DOG, "nicht ein einziger hund", "no"),
        (SPACED, DOG, "nicht ein sehr schöner hund", "unparsed"),
        (SPACED, DOG, "das nicht hund", "unparsed"),
        (SPACED, DOG, "der hund fehlt nicht", "unparsed"),
        (SPACED, DOG, "ich sehe den hund nicht", "no"),
        (SPACED, DOG, "der hund ist nicht zu sehen", "no"),
        (SPACED, RED_DOG, "ich sehe den roter hund", "yes"),
        (SPACED, RED_DOG, "ich sehe den hund roter art", "unparsed"),
        (SPACED, RED_DOG, "ich sehe roter art den hund", "yes"),
        (SPACED, RED_DOG, "roter hund", "yes"),
        (SPACED, RED_DOG, "hund", "unparsed"),
        (SPACED, RED_DOG, "kein roter hund", "no"),
        (SPACED, RED_DOG, "ich sehe den hund", "unparsed"),
        # A clause that names nothing.
        (SPACED, DOG, "ich sehe ihn", "yes"),
        (SPACED, DOG, "ich sehe ihn hier nicht", "no"),
        (SPACED, DOG, "ich sehe keinen", "no"),
        (SPACED, DOG, "keine", "no"),
        (SPACED, DOG, "ich sehe", "unparsed"),
        (SPACED, DOG, "ihn", "unparsed"),
        (SPACED, DOG, "ich sehe ihn morgen", "unparsed"),
        (SPACED, "", "ich sehe ihn", "yes"),
        # Doubt, unless a yes or no is said.
        (SPACED, DOG, "vielleicht ein hund", "unparsed"),
        (SPACED, DOG, "vielleicht. ja", "unparsed"),
        (SPACED, DOG, "ich bin nicht sicher. ja", "unparsed"),
        (SPACED, DOG, "ja vielleicht", "yes"),
        # English is understood as well, but for a "no" that may be the language's own.
        (SPACED, DOG, "yes", "yes"),
        (SPACED, DOG, "no. hm", "no"),
        (SPANISH, "Hay perros", "no. hm", "no"),
        (SPANISH, "Hay perros", "no, hm. sí", "no"),
        (SPANISH, "Hay perros", "there is no dog", "no"),
        (SPANISH, "Hay perros", "no tengo. sí", "yes"),
        (SPACED, DOG, "no. ja", "no"),
        (SPACED, DOG, "ja. no", "yes"),
    ],
)  # fmt: skip
def test_answers_by_a_languages_words(words: AnswerWords, question: str, text: str, verdict: str) -> None:
    assert parse_answer(text, question, words) == verdict


def test_a_word_and_its_endings() -> None:
    """A stem has three letters; accents are lost, umlauts aren't; a z that became "ces" comes back."""
    words = AnswerWords(code="es", yes=("sí",), no=("no",), affirm=("veo",), endings=("s", "es"), frame=("hay",))
    alike = {"lápiz": "lápices", "avión": "aviones", "luz": "luces", "mes": "mes", "gato": "gatos", "sol": "soles"}
    apart = {"küche": "kuchen", "mes": "me", "es": "e", "gas": "ga", "gases": "ga", "sol": "sola"}
    for one, other in alike.items():
        assert parse_answer(f"veo {other}", f"¿Hay {one}?", words) == "yes", other
    for one, other in apart.items():
        assert parse_answer(f"veo {other}", f"¿Hay {one}?", words) == "unparsed", other
    german = AnswerWords(code="de", yes=("ja",), no=("nein",), affirm=("sehe",), endings=("s",), frame=("ist",))
    assert parse_answer("sehe luces", "Ist luz", german) == "unparsed"
    assert parse_answer("sehe luces", "Ist luce", german) == "yes"


@pytest.mark.parametrize("code", ["zz", "deu", ""])
def test_a_language_without_words(code: str) -> None:
    with pytest.raises(HopeBenchError) as refused:
        find_words(["de", code])
    assert str(refused.value) == f"No words for yes and no in language {code!r}. " + did_you_mean(code, LANGUAGES)
    assert find_words(["de", SPACED]) == (LANGUAGES["de"], SPACED)


@pytest.mark.parametrize(
    ("code", "verdict", "texts"),
    [
        ("zh", "yes", "是|是的|有|有的|对|是的，图中有一只狗。|图中有狗|答案是：是|图里有一只不大的狗"),
        (
            "zh",
            "no",
            "没有|不是|否。|不对|不，图中没有狗。|没有，图片中只有一只猫。|答案是：没有。|答案是没有|答案为否|答案：否|我的回答是：不是。",
        ),
        (
            "zh",
            "no",
            "图中没有狗|图片中不存在狗。|没看到狗|这张图片中并没有狗。|没有狗，但是有一只猫。|图片中的动物是猫，不是狗。",
        ),
        ("zh", "unparsed", "是否|不确定|无法确定|答案是|对面的人|有猫没有狗|是不是狗|能否看到狗"),
        ("ja", "yes", "はい|はい、犬がいます。|答えははいです|犬があります"),
        ("ja", "no", "いいえ|いいえ、犬はいません。|答えはいいえです|答え：いいえ|犬はありません"),
        ("ja", "unparsed", "犬はいません|はいるいいえ|画像に犬はいない|猫はいます|犬がいるかわかりません"),
        ("ko", "yes", "네|예|네, 있습니다.|개가 있습니다"),
        ("ko", "no", "아니요|아니요, 없습니다.|개가 없습니다.|답은 아니요입니다|아니, 고양이입니다"),
        ("ko", "unparsed", "개는 보이지 않습니다|네 마리의 고양이가 있고 개는 없습니다"),
    ],
)
def test_plain_answers_as_people_write_them_whose_words_touch(code: str, verdict: str, texts: str) -> None:
    """A yes is not read where its letters are a particle and a negated verb, a copula, or half of "whether"."""
    assert {text: parse_answer(text, "", LANGUAGES[code]) for text in texts.split("|")} == dict.fromkeys(
        texts.split("|"), verdict
    )


UNSPACED = AnswerWords(
    code="ja", spaces=False, frame=("画像に", "が写っていますか", "と"),
    yes=("はい", "ある"), no=("いいえ", "あるわけない", "(無)"), affirm=("写っています", "見えます"),
    none_of=("皆無",), negators=("ません", "ない"), doubt=("不明", "わかりません"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("question", "text", "verdict"),
    [
        # A plain yes or no, wherever it stands; the longest of those that begin at one place.
        ("", "はい", "yes"),
        ("", "答えが いいえ です", "no"),
        ("", "答えが(無)", "no"),
        ("", "(", "unparsed"),
        ("", "ある", "yes"),
        ("", "あるわけない", "no"),
        ("", "いいえ、はい", "no"),
        ("", "はい? いいえ.", "no"),
        ("", "写っています", "unparsed"),
        ("", "皆無", "unparsed"),
        ("", "Yes. いいえ", "yes"),
        ("", "犬が写っています. いいえ", "no"),
        # What a clause states, if it names all that is asked about.
        ("画像に犬が写っていますか？", "犬が写っています", "yes"),
        ("画像に犬が写っていますか？", "大きな犬が見えます", "yes"),
        ("画像に犬が写っていますか？", "犬です", "unparsed"),
        ("画像に犬が写っていますか？", "犬は写っていません", "no"),
        ("画像に犬が写っていますか？", "犬はない", "no"),
        ("画像に犬が写っていますか？", "犬は皆無", "no"),
        ("画像に犬が写っていますか？", "犬は見えますが皆無", "no"),
        ("画像に犬が写っていますか？", "猫が写っています", "unparsed"),
        ("画像に犬が写っていますか？", "猫は写っていません", "unparsed"),
        ("画像に犬が写っていますか？", "猫は皆無", "unparsed"),
        ("画像に犬が写っていますか？", "猫が見えます: 犬が見えます", "yes"),
        ("画像に犬と猫が写っていますか？", "猫と犬が写っています", "yes"),
        ("画像に犬と猫が写っていますか？", "猫と犬は皆無", "no"),
        ("画像に犬と猫が写っていますか？", "犬が写っています", "unparsed"),
        ("画像に犬と猫が写っていますか？", "猫は写っていません", "unparsed"),
        # It outweighs a plain yes or no, which counts beside a thing of which nothing is said, and beside another.
        ("画像に犬が写っていますか？", "はい 犬は写っていません", "no"),
        ("画像に犬が写っていますか？", "いいえ 犬が写っています", "yes"),
        ("画像に犬が写っていますか？", "いいえ 犬", "no"),
        ("画像に犬が写っていますか？", "はい 猫は写っていません", "yes"),
        ("画像に犬が写っていますか？", "いいえ 猫が写っています", "no"),
        # Doubt ends it.
        ("", "不明", "unparsed"),
        ("", "わかりません. はい", "unparsed"),
        ("", "はい 不明", "unparsed"),
        ("画像に犬が写っていますか？", "犬が写っていますか不明. はい", "unparsed"),
    ],
)  # fmt: skip
def test_answers_in_a_script_without_spaces(question: str, text: str, verdict: str) -> None:
    assert parse_answer(text, question, UNSPACED) == verdict


@pytest.mark.parametrize(
    ("code", "text", "verdict"),
    [("zh", "是的", "yes"), ("zh", "有一只狗", "yes"), ("zh", "不是", "no"), ("zh", "图中没有狗", "no"),
     ("zh", "一只狗", "unparsed"),     ("ja", "犬があります", "yes"), ("ja", "犬はありません", "no"), ("ja", "犬", "unparsed"),
     ("ko", "네, 개가 있습니다", "yes"), ("ko", "개가 없습니다", "no"), ("ko", "개", "unparsed")],
)  # fmt: skip
def test_answers_whose_questions_do_not_ship(code: str, text: str, verdict: str) -> None:
    assert parse_strict(text, (code,), "dog", "Is there a dog in the image?") == verdict
