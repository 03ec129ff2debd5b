import TestSupport
import Testing

/// Runs a script of `Tests/api`, which says what it measured, and ends with an error at the first
/// difference from what is expected.
func check(_ script: String, _ arguments: [String]) throws {
    let outcome = try Program.run(
        Repository.path(".build/test-tools/bin/python"),
        ["-B", Repository.path("Tests/api/\(script).py")] + arguments)
    print(outcome.output, terminator: "")
    #expect(outcome.status == 0, "\(outcome.errors.suffix(4000))")
    #expect(outcome.output.hasPrefix("measured: "))
}
