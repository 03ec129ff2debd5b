/// Why a script of `Tests` failed: the end of what it printed.
public struct ScriptFailure: Error, CustomStringConvertible {
    /// The script's output.
    public let description: String

    init(_ script: String, _ outcome: Program.Outcome) {
        description = "\(script): \(outcome.errors.suffix(6000))"
    }
}

/// Runs a script of `Tests`, which says what it measured, and ends with an error at the first
/// difference from what is expected; throws a `ScriptFailure` then.
@discardableResult
private func run(
    _ script: String, _ arguments: [String], environment: [String: String] = [:]
) throws -> String {
    let outcome = try Program.run(
        Repository.path(".build/test-tools/bin/python"),
        ["-B", Repository.path("Tests/\(script).py")] + arguments, environment: environment)
    print(outcome.output, terminator: "")
    guard outcome.status == 0 else { throw ScriptFailure(script, outcome) }
    return outcome.output
}

/// Runs a script of `Tests/api`.
public func check(_ script: String, _ arguments: [String]) throws {
    let output = try run("api/\(script)", arguments)
    precondition(output.hasPrefix("measured: "), "\(script) has measured nothing")
}

/// Runs a script of `Tests/browser` against the page of `site`.
public func checkPage(
    _ script: String, of site: Site, optionalFiles: [String] = []
) throws {
    let (url, nginx) = try Nginx.onPort(
        responderPath: site.responder.socketPath, optionalFiles: optionalFiles)
    defer { nginx.stop() }
    try run(
        "browser/\(script)", [],
        environment: [
            "SITE": url, "DATABASE_URL": site.database.url,
            "RESPONDER": Repository.program("orbital-fcgi"),
            "RESPONDER_PID": String(site.responder.program.pid),
            "RESPONDER_SOCKET": site.responder.socketPath,
            "ORBITALCTL": Repository.program("orbitalctl"),
        ])
}
