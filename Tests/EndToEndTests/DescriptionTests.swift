import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `openapi.json` {
    @Test func `has the version of the programs, manual pages, images and changelog`() throws {
        func text(_ path: String) throws -> String {
            try String(contentsOfFile: Repository.path(path), encoding: .utf8)
        }
        let version = try Repository.version
        #expect(
            try text("nginx/html/openapi.json").contains("\n    \"version\": \"\(version)\",\n"))
        for (program, output) in [
            ("orbitalctl", "\(version)\n"), ("orbital-fcgi", "orbital-fcgi \(version)\n"),
        ] {
            #expect(
                try Program.run(Repository.program(program), ["--version"]).output == output)
        }
        let entry = try #require(
            try text("CHANGELOG.md").firstMatch(of: /\n## \[([0-9.]+)\] - ([0-9-]+)\n/))
        #expect(String(entry.1) == version)
        let date = try Program.run(
            "/bin/date", ["-d", String(entry.2), "+%B %-d, %Y"], environment: ["LC_ALL": "C"]
        ).output
        for page in ["orbital-fcgi.8", "orbitalctl.8", "orbital-usage.env.5"] {
            #expect(try text("deploy/man/\(page)").hasPrefix(".Dd \(date)"), "\(page)")
            let name = "\n.Os \"Orbital Usage API \(version)\"\n"
            #expect(try text("deploy/man/\(page)").contains(name), "\(page)")
        }
        // The line that labels the images; the package takes its version from orbital-fcgi.
        let line = try #require(try text("deploy/docker/image").firstMatch(of: /\nversion=.*\n/)).0
        let image = try Program.run(
            "/bin/bash", ["-c", "cd \(Repository.path("")); \(line)echo $version"])
        #expect(image.output == "\(version)\n")
    }
}
