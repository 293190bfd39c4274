import pytest

from corpus.english import is_foreign


@pytest.mark.parametrize(
    "text",
    [
        "Gibt die Anzahl der Elemente in der Liste zurück",
        "Retourne le nombre d'éléments de la liste",
        "Devuelve el número de elementos de la lista",
        "Retorna o número de elementos da lista",
        "Restituisce il numero di elementi della lista",
        "Geeft het aantal elementen in de lijst terug",
        "Zwraca liczbę elementów na liście",
        "Возвращает количество элементов в списке",
        "返回列表中的元素数量",
        "リストの要素数を返す",
        "목록의 요소 수를 반환합니다",
        "返回 Vec 的长度",
    ],
)
def test_other_languages(text: str) -> None:
    assert is_foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        "Returns the number of elements",
        "Converts 你好 to its pinyin, tone marks and all",
        "∀ x ≤ y: f(x) ≤ f(y), naïve ℕ",
        "Bézier curve",
        "quadratic Bézier curve segment",
        "creates new de Bruijn index depth",
        "El Gamal ciphertext tuple",
        "type latitude deg float",
        "λ α β γ μ σ Ω",
        "Xu, Müller, Étienne",
        "",
        "…",
    ],
)
def test_english_with_names_and_formulas(text: str) -> None:
    assert not is_foreign(text)
