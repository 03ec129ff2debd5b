import Foundation
import TestSupport
import Testing

/// `openapi.json` and the running service, held to each other; the tools are in Python.
@Suite(.timeLimit(.minutes(5))) struct `openapi.json` {
    @Test(arguments: ["open", "keyed"])
    func `says what the service does, and shows its answers`(access: String) throws {
        let site = try Site(["ACCESS": access])
        defer { site.stop() }
        try site.database.addContractRecords()
        let (url, nginx) = try Nginx.onPort(responderPath: site.responder.socketPath)
        defer { nginx.stop() }
        try check(
            "description",
            [
                url, site.database.key(), site.database.key(["usage:read"]), site.database.url,
            ])
    }

    @Test func `has the version of the programs, whose one home is Version.swift`() throws {
        let source = try String(
            contentsOfFile: Repository.path("Sources/Configuration/Version.swift"), encoding: .utf8)
        let version = try #require(source.firstMatch(of: /let version = "([0-9.]+)"/)).1
        let page = try String(
            contentsOfFile: Repository.path("nginx/html/openapi.json"), encoding: .utf8)
        #expect(page.firstMatch(of: /"version": "([^"]*)"/)?.1 == version)
        for (program, output) in [
            ("orbitalctl", "\(version)\n"), ("orbital-fcgi", "orbital-fcgi \(version)\n"),
        ] {
            #expect(
                try Program.run(Repository.program(program), ["--version"]).output == output)
        }
    }
}
