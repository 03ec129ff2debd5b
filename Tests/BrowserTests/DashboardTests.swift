import Foundation
import TestSupport
import Testing

/// The page in Chromium; each script in `Tests/browser` is about one subject.
@MainActor @Suite(.timeLimit(.minutes(5))) struct `The dashboard` {
    /// Shared by all that leave it as it is; it ends with the tests' database server.
    ///
    /// Each script begins with records of its own.
    private static let shared = Result { try Site() }

    /// Runs a script against the shared site, or against one with a configuration of its own.
    private func run(
        _ script: String, ownSite environment: [String: String]? = nil,
        optionalFiles: [String] = []
    ) throws {
        let site = try environment.map { try Site($0) } ?? Self.shared.get()
        defer { if environment != nil { site.stop() } }
        try checkPage(script, of: site, optionalFiles: optionalFiles)
    }

    @Test func `shows sums, bars and reports that are those of the records`() throws {
        try run("sums")
    }

    @Test func `shows every digit of ids and sums`() throws {
        try run("exact")
    }

    @Test func `keeps the view in its address, and says what it does not understand`() throws {
        try run("addresses")
    }

    @Test func `sorts by clicks: up, down, not at all, by several columns`() throws {
        try run("sorting")
    }

    @Test func `has a row for each record, and a receipt for each row`() throws {
        try run("records")
    }

    @Test func `reads and zooms the chart by pointer and by keyboard`() throws {
        try run("chart")
    }

    @Test func `names enough bars under its axis, and none where nothing was used`() throws {
        try run("axis")
    }

    @Test func `follows changes without moving what somebody looks at`() throws {
        try run("live")
    }

    @Test func `says what is in the way, and goes on by itself`() throws {
        try run("failures", ownSite: [:])
    }

    @Test func `waits when nginx asks it to`() throws {
        try run(
            "limits", optionalFiles: ["orbital-limits-zone.conf", "orbital-limits.conf"])
    }

    @Test func `asks for an API key where one is needed`() throws {
        try run("sign_in", ownSite: ["ACCESS": "keyed"])
    }

    @Test func `saves exactly what is shown`() throws {
        try run("downloads")
    }

    @Test func `can be used by everybody`() throws {
        try run("accessibility")
    }
}
