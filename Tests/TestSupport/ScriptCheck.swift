/// Why a script of `Tests` failed: the end of what it printed.
public struct ScriptFailure: Error, CustomStringConvertible {
    /// The script's output.
    public let description: String

    init(_ script: String, _ outcome: Program.Outcome) {
        description = "\(script): \(outcome.errors.suffix(6000))"
    }
}

/// Runs a script of `Tests/api`, which prints what it measured and ends with an error at the first
/// difference from what is expected; throws a `ScriptFailure` then.
public func check(_ script: String, _ arguments: [String]) throws {
    let outcome = try Program.run(
        Repository.path(".build/test-tools/bin/python"),
        ["-B", Repository.path("Tests/api/\(script).py")] + arguments)
    print(outcome.output, terminator: "")
    guard outcome.status == 0 else { throw ScriptFailure(script, outcome) }
    precondition(outcome.output.hasPrefix("measured: "), "\(script) has measured nothing")
}
