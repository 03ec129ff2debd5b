"""Writes the results as a table, with what ours is beside each of the others."""


def write_report(results, folder):
    """One line for each figure; where smaller is better, the ratio is ours to theirs as well."""
    lines = ["| what | who | median | orbital / it |", "|---|---|---|---|"]
    for what, values in results.items():
        ours = values.get("orbital")
        for who, value in values.items():
            ratio = f"{ours / value:.2f}" if ours is not None and who != "orbital" else ""
            lines.append(f"| {what} | {who} | {value:,.4g} | {ratio} |")
    (folder / "results.md").write_text("\n".join(lines) + "\n")
