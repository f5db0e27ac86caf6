"""One table of measurements against all models: predictions once, scores and outliers from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from simulator.measured.predict import MODELS, Prediction, Predictor
from simulator.measured.rows import Row, Table, family_of
from simulator.measured.scores import GROUPINGS, Score, groups, is_scored, score

Progress = Callable[[Iterable[Row]], Iterable[Row]]


@dataclass(frozen=True)
class Line:
    """One group of rows and a score by model."""

    grouping: str
    value: str
    scores: dict[str, Score]

    @property
    def rows(self) -> int:
        """Rows of the group."""
        return next(iter(self.scores.values())).rows


@dataclass(frozen=True)
class Outlier:
    """A row that a model misses by much; ``number`` names it in the figure."""

    number: int
    row: Row
    predicted_us: float

    @property
    def error(self) -> float:
        """Signed, per cent of the measured time."""
        return 100.0 * (self.predicted_us / self.row.time_us - 1.0)


@dataclass(frozen=True)
class Validation:
    """The scored rows of a table with what each model says.

    ``predicted`` is in microseconds, by model, row by row; ``known`` where the kernel is given, None where
    a row has none. ``left_out`` rows are short eager measurements, which time the host.
    """

    name: str
    rows: tuple[Row, ...]
    predicted: dict[str, list[float]]
    known: list[float | None]
    left_out: int

    def common(self) -> dict[str, str]:
        """What all rows have in common, by grouping: what ``lines`` does not tell apart."""
        values = {name: {key(row) for row in self.rows} for name, key in GROUPINGS.items() if name != "all"}
        return {name: value for name, found in values.items() if len(found) == 1 for value in found if value}

    def lines(self) -> list[Line]:
        """The blind scores of every group."""
        return [
            Line(grouping, value, {model: self._score(model, members) for model in self.predicted})
            for grouping, value, members in groups(self.rows)
        ]

    def known_lines(self) -> list[Line]:
        """Blind and known kernel on the rows whose kernel is known; empty where there are none."""
        rows, measured, blind, known = [], [], [], []
        for row, full, time_us in zip(self.rows, self.predicted["full"], self.known, strict=True):
            if time_us is not None:
                rows.append(row)
                measured.append(row.time_us)
                blind.append(full)
                known.append(time_us)
        return [
            Line(
                grouping,
                value,
                {
                    name: score([measured[i] for i in members], [times[i] for i in members])
                    for name, times in (("blind", blind), ("known kernel", known))
                },
            )
            for grouping, value, members in groups(rows)
            if members
        ]

    def outliers(self, count: int) -> list[Outlier]:
        """The rows that the full model misses most, as a ratio, the worst of each family first."""
        full = self.predicted["full"]
        ratio = [max(p / row.time_us, row.time_us / p) for row, p in zip(self.rows, full, strict=True)]
        worst: dict[object, int] = {}
        for i in sorted(range(len(full)), key=lambda i: -ratio[i]):
            worst.setdefault((self.rows[i].gpu, family_of(self.rows[i])), i)
        return [Outlier(n, self.rows[i], full[i]) for n, i in enumerate(list(worst.values())[:count], 1)]

    def subset(self, members: Sequence[int]) -> Validation:
        """The same of some of the rows."""
        return Validation(
            self.name,
            tuple(self.rows[i] for i in members),
            {model: [times[i] for i in members] for model, times in self.predicted.items()},
            [self.known[i] for i in members],
            self.left_out,
        )

    def _score(self, model: str, members: Sequence[int]) -> Score:
        return score([self.rows[i].time_us for i in members], [self.predicted[model][i] for i in members])


def predict_table(table: Table, predictor: Predictor, progress: Progress = iter) -> list[Prediction]:
    """What all models say about every row, scored or not.

    Raises:
        ConfigError: a GPU without a machine.
    """
    return [predictor.predict(row) for row in progress(table.rows)]


def validation_of(table: Table, predictions: Sequence[Prediction]) -> Validation:
    """The scored rows among those of a table."""
    scored = [(row, said) for row, said in zip(table.rows, predictions, strict=True) if is_scored(row)]
    return Validation(
        table.name,
        tuple(row for row, _ in scored),
        {model: [said.times_us[model] for _, said in scored] for model in MODELS},
        [said.known_us for _, said in scored],
        len(table.rows) - len(scored),
    )


def validate_table(table: Table, predictor: Predictor) -> Validation:
    """Every scored row of a table by every model.

    Raises:
        ConfigError: a GPU without a machine.
    """
    return validation_of(table, predict_table(table, predictor))
