"""What ``docs/timing.md`` shows of the RTL: pipeline diagrams and the table of measured cycles."""
