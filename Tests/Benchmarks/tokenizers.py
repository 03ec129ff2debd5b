"""How many tokens per second of a core Orbital's tokenizer counts and lists, beside tiktoken and quicktok-v1.

    python3 Tests/Benchmarks/tokenizers.py [ROUNDS]    # these rows of `make bench` alone
"""

import resource
import subprocess
import sys

from contestants import SOURCES, Contestant
from load import by_turns
from nginx import REPOSITORY
from report import figures

ENCODINGS = ("cl100k_base", "o200k_base")
VOCABULARIES = REPOSITORY / ".run/tokenizers"
# How often a process does the work; start-up is not part of the difference.
FEW, MANY = 2, 22


class Tokenizers(Contestant):
    """Processes of one thread, each with all texts: the lines of the ChatterBot corpus, in 28 languages."""

    name = "tokenizers"

    def build(self, cache):
        super().build(cache)
        subprocess.run([REPOSITORY / "deploy/tokenizers", VOCABULARIES], check=True)
        venv = self.build_venv(SOURCES / "tokenizers/requirements.txt")
        script = [venv / "bin/python", "-B", SOURCES / "tokenizers/tokens.py"]
        self.commands = {
            "orbital": [REPOSITORY / ".build/release/instruction-counts"],
            "quicktok": [*script, "quicktok"],
            "tiktoken": [*script, "tiktoken"],
        }
        self.texts = self.cache / "tokenizers/texts"
        files = sorted(venv.glob("lib/*/site-packages/chatterbot_corpus/data/*/*.yml"))
        lines = (line.strip().lstrip("- ") for file in files for line in file.read_text("utf-8").splitlines())
        self.texts.write_text("".join(f"{line}\n" for line in lines if line), "utf-8")

    def seconds(self, name, workload, rounds):
        """The CPU time of one process, and the tokens of all texts."""
        before = child_seconds()
        with self.texts.open() as texts:
            tokens = subprocess.run(
                [*self.commands[name], workload, str(rounds), VOCABULARIES],
                check=True, stdin=texts, stdout=subprocess.PIPE, text=True).stdout
        return child_seconds() - before, int(tokens.split()[1])

    def speeds(self, names, workload, rounds):
        """Tokens per second of CPU time; the tokenizers must find the same number of tokens."""
        found = {}

        def speed(name):
            few, _ = self.seconds(name, workload, FEW)
            many, found[name] = self.seconds(name, workload, MANY)
            return (MANY - FEW) * found[name] / (many - few)

        speeds = by_turns({name: lambda n=name: speed(n) for name in names}, rounds)
        if len(set(found.values())) != 1:
            raise RuntimeError(f"{workload}: the tokenizers differ: {found}")
        return speeds


def child_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(cache, rounds):
    """Like with like: numbers of tokens, which tiktoken gives only as lengths of lists; and lists of tokens."""
    tokenizers = Tokenizers()
    tokenizers.build(cache)
    results = {}
    for encoding in ENCODINGS:
        results[f"tokens of {encoding} counted, per s of a core"] = tokenizers.speeds(
            ("orbital", "quicktok"), f"count {encoding}", rounds)
        results[f"tokens of {encoding} listed, per s of a core"] = tokenizers.speeds(
            tokenizers.commands, f"encode {encoding}", rounds)
    return results


if __name__ == "__main__":
    print(figures(measure(REPOSITORY / ".run/bench", int(sys.argv[1]) if len(sys.argv) > 1 else 3)))
