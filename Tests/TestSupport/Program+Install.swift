extension Program {
    /// Runs a script of `Tests/install` and hands on what it measured; on failure, the end of what it
    /// said is in `errors`.
    public static func install(_ script: String, _ arguments: [String] = []) throws -> Outcome {
        let outcome = try run(Repository.path("Tests/install/\(script)"), arguments)
        for line in outcome.output.split(separator: "\n") where line.hasPrefix("measured: ") {
            print(line)
        }
        return Outcome(
            status: outcome.status, output: outcome.output,
            errors: String(outcome.output.suffix(6000)) + outcome.errors.suffix(6000))
    }
}
