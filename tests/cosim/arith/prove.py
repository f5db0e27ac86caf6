"""Proves arithmetic units equal to SMT floating point, for all inputs.

``python -m tests.cosim.arith.prove [NAME ...] [--limit SECONDS]`` translates the RTL with Yosys
(``read_slang``, ``write_smt2``), states that some input makes it differ from SMT-LIB's floating-point
theory, and asks Bitwuzla. "unsat" is the proof; where one question is too hard, it is cut into cases that
together cover all inputs. Each unit with a seeded fault is a control: there the solver must find an input
("sat"). ``--list`` prints the names; ``--long`` adds what takes more than a few minutes.

Multiplication is proven in parts, since no solver shows that two multipliers are equal: the RTL's multiplier
gets the significands; NaN, infinities and zeros are right; and whatever the product is, the result is the
exact value ``product * 2^exponents`` (which binary128 holds), rounded once by the theory.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from simulator.cosim.synth.yosys import read, run

FLOAT = "((_ to_fp 8 24) {})"
NAN = "#x7fc00000"


class Claim(NamedTuple):
    """A property of one module: ``good`` holds for all inputs under ``given``.

    ``cases`` are named conditions, one of which always holds; they are decided one by one.
    """

    module: str
    good: str
    given: str = "true"
    mutant: int = 0
    cases: tuple[tuple[str, str], ...] = (("all", "true"),)
    terms: tuple[str, ...] = ()  # definitions that the others use
    any_product: bool = False  # the multiplier may give anything: ``product`` is free


def _rounded(result: str) -> str:
    """y_o is this floating-point term, bit for bit, and its NaN is the canonical one."""
    return f"(let ((r {result})) (ite (fp.isNaN r) (= y_o {NAN}) (= {FLOAT.format('y_o')} r)))"


def _choice(order: str, zeros: str) -> str:
    ordered = f"(ite ({order} a b) a_i (ite ({order} b a) b_i ({zeros} a_i b_i)))"
    return f"(ite (or (fp.isNaN a) (fp.isNaN b)) {NAN} {ordered})"


def _leading_one(term: str, width: int) -> list[tuple[str, str]]:
    """Cases by the place of the leading one of a bit vector; one of them always holds."""
    cases = [("zero", f"(= {term} (_ bv0 {width}))")]
    for k in range(width):
        one = f"(= ((_ extract {k} {k}) {term}) #b1)"
        above = width - 1 - k
        zeros = f"(= ((_ extract {width - 1} {k + 1}) {term}) (_ bv0 {above}))" if above else "true"
        cases.append((f"leading one at {k}", f"(and {zeros} {one})"))
    return cases


def _add_cases() -> tuple[tuple[str, str], ...]:
    """Same or opposite signs, distance of the exponents, and how much cancels when they are close."""

    def significand(x: str, zeros: str) -> str:
        hidden = f"(ite (= ((_ extract 30 23) {x}) #x00) #b0 #b1)"
        return f"((_ zero_extend 1) (concat {hidden} ((_ extract 22 0) {x}) {zeros}))"

    distance = (
        "(bvsub ((_ zero_extend 2) ((_ extract 30 23) a_i)) ((_ zero_extend 2) ((_ extract 30 23) b_i)))"
    )
    same = "(= ((_ extract 31 31) a_i) ((_ extract 31 31) b_i))"
    one, minus_one = "(_ bv1 10)", "(bvneg (_ bv1 10))"
    fractions = "((_ extract 22 0) a_i) ((_ extract 22 0) b_i)"
    reverse = "((_ extract 22 0) b_i) ((_ extract 22 0) a_i)"
    equal = f"(ite (bvuge {fractions}) (bvsub {fractions}) (bvsub {reverse}))"
    above = f"(bvsub {significand('a_i', '#b0')} ((_ zero_extend 1) {significand('b_i', '')}))"
    below = f"(bvsub {significand('b_i', '#b0')} ((_ zero_extend 1) {significand('a_i', '')}))"
    places = [
        ("same exponent", f"(= {distance} (_ bv0 10))", _leading_one(equal, 23)),
        ("a one above", f"(= {distance} {one})", _leading_one(above, 26)),
        ("b one above", f"(= {distance} {minus_one})", _leading_one(below, 26)),
        ("a above", f"(bvsgt {distance} {one})", []),
        ("b above", f"(bvslt {distance} {minus_one})", []),
    ]
    cases = [(f"same sign, {name}", f"(and {same} {where})") for name, where, _ in places]
    for name, where, cancelled in places:
        for detail, condition in cancelled or [("any", "true")]:
            cases.append((f"other sign, {name}, {detail}", f"(and (not {same}) {where} {condition})"))
    return tuple(cases)


def _exponent(x: str, high: int) -> str:
    """Biased, at least 1; 15 bits."""
    bits = f"((_ extract {high} {high - 7}) {x})"
    return f"((_ zero_extend 7) (bvor {bits} (ite (= {bits} #x00) #x01 #x00)))"


def _significand(x: str, high: int, low: int) -> str:
    hidden = f"(ite (= ((_ extract {high + 8} {high + 1}) {x}) #x00) #b0 #b1)"
    return f"(concat {hidden} ((_ extract {high} {low}) {x}))"


def _normalised(name: str, significand: str, exponent: str, width: int) -> list[str]:
    """``<name>_m`` with its leading bit set and ``<name>_e``: shifted one place at a time."""
    lines = [
        f"(define-fun {name}_m0 () (_ BitVec {width}) {significand})",
        f"(define-fun {name}_e0 () (_ BitVec 15) {exponent})",
    ]
    for k in range(width - 1):
        done = f"(= ((_ extract {width - 1} {width - 1}) {name}_m{k}) #b1)"
        m, e = f"{name}_m{k}", f"{name}_e{k}"
        shifted, lowered = f"(bvshl {m} (_ bv1 {width}))", f"(bvsub {e} (_ bv1 15))"
        lines += [
            f"(define-fun {name}_m{k + 1} () (_ BitVec {width}) (ite {done} {m} {shifted}))",
            f"(define-fun {name}_e{k + 1} () (_ BitVec 15) (ite {done} {e} {lowered}))",
        ]
    last = width - 1
    return [
        *lines,
        f"(define-fun {name}_m () (_ BitVec {width}) {name}_m{last})",
        f"(define-fun {name}_e () (_ BitVec 15) {name}_e{last})",
    ]


def _finite(names: str) -> str:
    return " ".join(f"(not (or (fp.isNaN {x}) (fp.isInfinite {x})))" for x in names)


_BIAS = 16383  # of binary128
_TOP = "(= ((_ extract 47 47) product) #b1)"
# The significands are 24 bits, the exponents biased by 127: product * 2^(a_e + b_e - 2 * (127 + 23)).
_MUL_TERMS = (
    *_normalised("a", _significand("a_i", 22, 0), _exponent("a_i", 30), 24),
    *_normalised("b", _significand("b_i", 22, 0), _exponent("b_i", 30), 24),
    f"(define-fun ordinary () Bool (and {_finite('ab')} (not (or (fp.isZero a) (fp.isZero b)))))",
    "(define-fun sign () (_ BitVec 1) (bvxor ((_ extract 31 31) a_i) ((_ extract 31 31) b_i)))",
    "(define-fun exact () (_ FloatingPoint 15 113) (fp sign"
    f" (bvadd a_e b_e (_ bv{_BIAS - 300 + 46} 15) (ite {_TOP} (_ bv1 15) (_ bv0 15)))"
    f" (concat (ite {_TOP} ((_ extract 46 0) product) (concat ((_ extract 45 0) product) #b0)) (_ bv0 65))))",
)
# The significands are 8 bits: product * 2^(exponents - 2 * (127 + 7)), its leading bit at 15. The sum in
# binary128 is exact, or its smaller term so small that it does not count in the second rounding either: the
# larger one is 2^88 times as large and a binary32 number or beyond all of them.
_FMA_TERMS = (
    f"(define-fun exponents () (_ BitVec 15) (bvadd {_exponent('a_i', 14)} {_exponent('b_i', 14)}))",
    *_normalised("p", "product", f"(bvadd exponents (_ bv{_BIAS - 268 + 15} 15))", 16),
    "(define-fun a () (_ FloatingPoint 8 24) ((_ to_fp 8 24) (concat a_i #x0000)))",
    "(define-fun b () (_ FloatingPoint 8 24) ((_ to_fp 8 24) (concat b_i #x0000)))",
    "(define-fun c () (_ FloatingPoint 8 24) ((_ to_fp 8 24) c_i))",
    f"(define-fun ordinary () Bool (and {_finite('abc')}))",
    "(define-fun sign () (_ BitVec 1) (bvxor ((_ extract 15 15) a_i) ((_ extract 15 15) b_i)))",
    "(define-fun same () Bool (= sign ((_ extract 31 31) c_i)))",
    # The product's leading one above the addend's hidden bit.
    f"(define-fun far () (_ BitVec 15) (bvsub p_e (bvadd {_exponent('c_i', 30)} (_ bv{_BIAS - 127} 15))))",
    "(define-fun exact () (_ FloatingPoint 15 113) (ite (= product #x0000) (fp sign (_ bv0 15) (_ bv0 112))"
    " (fp sign p_e (concat ((_ extract 14 0) p_m) (_ bv0 97)))))",
    "(define-fun total () (_ FloatingPoint 15 113) (fp.add RNE exact ((_ to_fp 15 113) RNE c)))",
)


def _fma_cases() -> tuple[tuple[str, str], ...]:
    """Signs, the distance of the leading ones, and how much cancels when they are close."""
    cases = []
    for k in range(-50, 41):
        where = f"({ {-50: 'bvsle', 40: 'bvsge'}.get(k, '=')} far (_ bv{k % 2**15} 15))"
        cases.append((f"same sign, {k} above", f"(and same {where})"))
        details = [("", "true")]
        if -2 <= k <= 1:
            places = f"(_ bv{abs(k)} 27)"
            product, addend = "(concat #b000 p_m #x00)", f"(concat #b000 {_significand('c_i', 22, 0)})"
            if k >= 0:
                product = f"(bvshl {product} {places})"
            else:
                addend = f"(bvshl {addend} {places})"
            rest = f"(ite (bvuge {product} {addend}) (bvsub {product} {addend}) (bvsub {addend} {product}))"
            details = [(f", difference's {n}", d) for n, d in _leading_one(rest, 27)]
        cases += [(f"other sign, {k} above{n}", f"(and (not same) {where} {d})") for n, d in details]
    return tuple(cases)


_ENABLED = "(= en_i #b1)"
_FLOATS = f"(and {_ENABLED} (= integer_i #b0))"
_INTEGERS = f"(and {_ENABLED} (= integer_i #b1))"


def _bit(port: str, condition: str) -> str:
    return f"(= (= {port} #b1) {condition})"


def _conversion(function: int) -> str:
    return f"(and {_ENABLED} (= function_i #b{function:05b}))"


_TO_BFLOAT16 = (
    "(let ((r ((_ to_fp 8 8) RNE a)) (h ((_ extract 15 0) y_o))) (and (= ((_ extract 31 16) y_o) #x0000)"
    " (ite (fp.isNaN a) (= h #x7fc0) (= ((_ to_fp 8 8) h) r))))"
)
_TO_INT32 = (
    "(= y_o (ite (fp.isNaN a) #x00000000"
    " (ite (fp.geq a ((_ to_fp 8 24) #x4f000000)) #x7fffffff"
    " (ite (fp.leq a ((_ to_fp 8 24) #xcf000000)) #x80000000 ((_ fp.to_sbv 32) RTZ a)))))"
)
_INT8 = "((_ sign_extend 24) ((_ extract 7 0) a_i))"

CLAIMS = {
    "add": Claim("fp32_add", _rounded("(fp.add RNE a b)"), _ENABLED, cases=_add_cases()),
    "mul, operands": Claim(
        "fp32_mul",
        "(and (= left (concat #x000000 a_m)) (= right (concat #x000000 b_m))"
        " (not (= ((_ extract 47 46) product) #b00)))",
        f"(and {_ENABLED} ordinary)",
        terms=_MUL_TERMS,
    ),
    "mul, special": Claim(
        "fp32_mul", _rounded("(fp.mul RNE a b)"), f"(and {_ENABLED} (not ordinary))", terms=_MUL_TERMS
    ),
    "mul, rounding": Claim(
        "fp32_mul",
        f"(= {FLOAT.format('y_o')} ((_ to_fp 8 24) RNE exact))",
        f"(and {_ENABLED} ordinary (not (= ((_ extract 47 46) product) #b00)))",
        terms=_MUL_TERMS,
        any_product=True,
    ),
    "fma, operands": Claim(
        "bf16_fma",
        f"(and (= left (concat #x00 {_significand('a_i', 6, 0)}))"
        f" (= right (concat #x00 {_significand('b_i', 6, 0)})))",
    ),
    "fma, special": Claim(
        "bf16_fma", _rounded("(fp.fma RNE a b c)"), "(not ordinary)", terms=_FMA_TERMS
    ),
    "fma, rounding": Claim(
        "bf16_fma",
        f"(= {FLOAT.format('y_o')} ((_ to_fp 8 24) RNE total))",
        "ordinary",
        cases=_fma_cases(),
        terms=_FMA_TERMS,
        any_product=True,
    ),
    "equal": Claim("fp32_compare", _bit("equal_o", "(fp.eq a b)"), _FLOATS),
    "less": Claim("fp32_compare", _bit("less_o", "(fp.lt a b)"), _FLOATS),
    "unordered": Claim("fp32_compare", _bit("unordered_o", "(or (fp.isNaN a) (fp.isNaN b))"), _FLOATS),
    "maximum": Claim("fp32_compare", f"(= maximum_o {_choice('fp.gt', 'bvand')})", _FLOATS),
    "minimum": Claim("fp32_compare", f"(= minimum_o {_choice('fp.lt', 'bvor')})", _FLOATS),
    "int_less": Claim("fp32_compare", _bit("less_o", "(bvslt a_i b_i)"), _INTEGERS),
    "int_equal": Claim("fp32_compare", _bit("equal_o", "(= a_i b_i)"), _INTEGERS),
    "int_maximum": Claim("fp32_compare", "(= maximum_o (ite (bvslt a_i b_i) b_i a_i))", _INTEGERS),
    "int_minimum": Claim("fp32_compare", "(= minimum_o (ite (bvslt a_i b_i) a_i b_i))", _INTEGERS),
    "to_bfloat16": Claim("fp32_convert", _TO_BFLOAT16, _conversion(19)),
    "float32_from_int32": Claim("fp32_convert", _rounded("((_ to_fp 8 24) RNE a_i)"), _conversion(20)),
    "float32_from_int8": Claim("fp32_convert", _rounded(f"((_ to_fp 8 24) RNE {_INT8})"), _conversion(21)),
    "int32_from_float32": Claim("fp32_convert", _TO_INT32, _conversion(22)),
    "int32_from_int8": Claim("fp32_convert", f"(= y_o {_INT8})", _conversion(23)),
}
LONG = ("fma, rounding",)
CONTROLS = {
    "add, sign of zero": CLAIMS["add"]._replace(mutant=3, cases=Claim("", "").cases),
    "mul, no sticky bit": CLAIMS["mul, rounding"]._replace(mutant=8),
    "fma, no sticky bit": CLAIMS["fma, rounding"]._replace(mutant=1, cases=Claim("", "").cases),
    "fma, ties up": CLAIMS["fma, rounding"]._replace(mutant=2, cases=Claim("", "").cases),
    "minimum of zeros": CLAIMS["minimum"]._replace(mutant=11),
    "to int32, downwards": CLAIMS["int32_from_float32"]._replace(mutant=10),
}

_COMPARE = "en_i integer_i a_i b_i equal_o less_o unordered_o maximum_o minimum_o"
PORTS = {
    "fp32_add": ("en_i", "a_i", "b_i", "y_o"),
    "fp32_mul": ("en_i", "a_i", "b_i", "y_o"),
    "bf16_fma": ("a_i", "b_i", "c_i", "y_o"),
    "fp32_compare": tuple(_COMPARE.split()),
    "fp32_convert": ("en_i", "function_i", "a_i", "y_o"),
}
_BITS = {name: 1 for name in ("en_i", "integer_i", "equal_o", "less_o", "unordered_o")}


_MULTIPLIER = re.compile(
    r"\(define-fun (?P<name>\|\w+#\d+\|) (?P<state>\(\(state \|\w+\|\)\)) \(_ BitVec (?P<width>\d+)\)"
    r" \(bvmul (?P<operands>.*)\)\) ;.*"
)


def translate(module: str, mutants: bool) -> str:
    """The module as SMT-LIB functions of one state."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.smt2"
        commands = [read(module, {"MUTANTS": int(mutants)}), f"hierarchy -top {module}", "proc", "flatten"]
        run([*commands, "opt -full", f"write_smt2 -stbv {out}"])
        return out.read_text()


def _named_multiplier(text: str, free: bool) -> tuple[str, str]:
    """The translation and definitions of ``left``, ``right`` and ``product``: its only multiplier's.

    ``free``: the product is any number.
    """
    (found,) = _MULTIPLIER.finditer(text)
    operands, cut = found["operands"], 0
    while operands[:cut].count("(") != operands[:cut].count(")") or not cut:  # two terms in brackets
        cut += 1
    sort, state = f"(_ BitVec {found['width']})", found["state"]
    parts = {"left": operands[:cut], "right": operands[cut:]}
    before = [f"(define-fun {name}_of {state} {sort} {term})" for name, term in parts.items()]
    value = "any_product" if free else "(bvmul (left_of state) (right_of state))"
    before += [f"(declare-const any_product {sort})"] if free else []
    before.append(f"(define-fun {found['name']} {state} {sort} {value})")
    after = [f"(define-fun {name} () {sort} ({name}_of s))" for name in parts]
    after.append(f"(define-fun product () {sort} ({found['name']} s))")
    return text.replace(found[0], "\n".join(before)), "\n".join(after)


def problem(claim: Claim) -> str:
    """SMT-LIB: satisfiable if and only if the claim is false (a case is still to be asserted)."""
    module = claim.module
    ports = [*PORTS[module], *(["mutant_i"] if claim.mutant else [])]
    text, multiplier = translate(module, bool(claim.mutant)), ""
    if module in ("fp32_mul", "bf16_fma"):
        text, multiplier = _named_multiplier(text, claim.any_product)
    lines = [text, f"(declare-const s |{module}_s|)", multiplier]
    for port in ports:
        value = f"(|{module}_n {port}| s)"
        if port in _BITS:  # Yosys makes single bits Booleans
            value = f"(ite {value} #b1 #b0)"
            width = 1
        else:
            narrow = {"mutant_i": 8, "function_i": 5}
            width = narrow.get(port, 16 if module == "bf16_fma" and port in ("a_i", "b_i") else 32)
        lines.append(f"(define-fun {port} () (_ BitVec {width}) {value})")
    if module != "bf16_fma":
        lines.append(f"(define-fun a () (_ FloatingPoint 8 24) {FLOAT.format('a_i')})")
    if "b_i" in ports and module != "bf16_fma":
        lines.append(f"(define-fun b () (_ FloatingPoint 8 24) {FLOAT.format('b_i')})")
    lines += claim.terms
    lines.append(f"(assert {claim.given})")
    if claim.mutant:
        lines.append(f"(assert (= mutant_i #x{claim.mutant:02x}))")
    lines.append(f"(assert (not {claim.good}))")
    return "\n".join(line for text in lines for line in text.splitlines() if not line.startswith(";")) + "\n"


def decide(claim: Claim, limit: float, verbose: bool) -> tuple[str, float]:
    """All cases of a claim, up to the first that is not proven; the last one is that there are no others."""
    text, total = problem(claim), 0.0
    none = " ".join(f"(not {condition})" for _, condition in claim.cases)
    for name, condition in (*claim.cases, ("anything else", f"(and true {none})")):
        result, seconds = solve(f"{text}(assert {condition})\n", limit)
        total += seconds
        if verbose and len(claim.cases) > 1:
            print(f"    {result:8} {seconds:8.1f} s  {name}", flush=True)
        if result != "unsat":
            break
    return result, total


def solve(text: str, limit: float) -> tuple[str, float]:
    """``("sat" | "unsat" | "unknown", processor seconds)``."""
    import bitwuzla

    terms = bitwuzla.TermManager()
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.TIME_LIMIT_PER, int(1000 * limit))
    parser = bitwuzla.Parser(terms, options)
    parser.parse("(set-logic QF_BVFP)\n" + text, True, False)
    begin = time.process_time()
    result = str(parser.bitwuzla().check_sat())
    return result.split(".")[-1].lower(), time.process_time() - begin


def main() -> int:
    """Proves what is asked for; 0 if everything asked was decided as it should be."""
    parser = argparse.ArgumentParser(description="Proofs of the arithmetic units")
    parser.add_argument("names", nargs="*", help="claims (all of them, and the controls, by default)")
    parser.add_argument("--limit", type=float, default=600, help="seconds for each case (default 600)")
    parser.add_argument("--verbose", action="store_true", help="print each case of a proof")
    parser.add_argument("--long", action="store_true", help="also those that take hours")
    parser.add_argument("--list", action="store_true", help="print the names")
    arguments = parser.parse_args()
    everything = CLAIMS | CONTROLS
    if arguments.list:
        print("\n".join(everything))
        return 0
    undecided = 0
    for name in arguments.names or [name for name in everything if arguments.long or name not in LONG]:
        claim = everything[name]
        result, seconds = decide(claim, arguments.limit, arguments.verbose)
        expected = "sat" if claim.mutant else "unsat"
        verdict = {"sat": "differs", "unsat": "proven"}.get(result, "not decided")
        undecided += result != expected
        control = " (seeded fault, found)" if claim.mutant and result == "sat" else ""
        print(f"{name:24} {claim.module:14} {verdict:12} {seconds:8.1f} s{control}", flush=True)
    return int(undecided > 0)


if __name__ == "__main__":
    sys.exit(main())
