import TestSupport
import Testing

/// Counted by callgrind and not timed, so that a busy machine makes no difference.
@Suite(.timeLimit(.minutes(3))) struct `The hot paths` {
    @Test func `take no more instructions an item than they may`() throws {
        let outcome = try Program.run(
            Repository.path(".build/test-tools/bin/python"),
            [
                "-B", Repository.path("Tests/Benchmarks/instructions.py"),
                Repository.program("instruction-counts"), Repository.path(".run/tokenizers"),
            ])
        print(outcome.output, terminator: "")
        #expect(outcome.status == 0, "\(outcome.errors.suffix(4000))")
    }
}
