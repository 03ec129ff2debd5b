import Foundation
import TestSupport
import Testing

/// The README's commands and programs, run unchanged and in order; the test of `make run` runs the
/// quickstart's commands on the demo.
@Suite(.timeLimit(.minutes(2))) struct `The README` {
    @Test func `shows what curl prints`() throws {
        let site = try Site()
        defer { site.stop() }
        let (url, nginx) = try Nginx.onPort(responderPath: site.responder.socketPath)
        defer { nginx.stop() }
        let control = "Tests/dev/with-service .build/release/orbitalctl "
        let examples = try ReadmeExample.all().filter {
            $0.command.hasPrefix("curl ") || $0.command.hasPrefix(control)
        }
        let key = try site.database.key(["usage:read", "usage:write", "usage:correct"])
        #expect(examples.count >= 9)
        for example in examples {
            let address = url.dropFirst("http://".count)
            if example.command.hasPrefix(control) {
                let words = example.command.dropFirst(control.count)
                let outcome = try Program.run(
                    "/bin/bash", ["-c", "\(Repository.program("orbitalctl")) \(words)"],
                    environment: ["DATABASE_URL": site.database.url])
                #expect(outcome.status == 0, "\(outcome.errors)")
                continue
            }
            let outcome = try Program.run(
                "/bin/bash", ["-c", example.command.replacing("localhost:8000", with: address)],
                environment: ["KEY": key])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let lines = outcome.output.replacing("\r\n", with: "\n")
                .split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
            let masked = ReadmeExample.masked
            #expect(lines.map(masked) == example.output.map(masked), "\(example.command)")
            // A whole month of records would fill the screen.
            #expect(outcome.output.utf8.count < 2000, "\(example.command)")
        }
    }

    @Test func `records in Python and TypeScript the message that curl has recorded`() throws {
        let site = try Site()
        defer { site.stop() }
        let (url, nginx) = try Nginx.onPort(responderPath: site.responder.socketPath)
        defer { nginx.stop() }
        let text = try String(contentsOfFile: Repository.path("README.md"), encoding: .utf8)
        let programs = text.matches(of: /\n```(python|ts)\n((?:.*\n)*?)```\n/)
        #expect(programs.map { String($0.1) } == ["python", "ts"])
        let key = try site.database.key(["usage:read", "usage:write", "usage:correct"])
        // The Node.js that Playwright brings along runs TypeScript.
        let packages = Repository.path(".build/test-tools/lib")
        let node = try #require(
            try FileManager.default.subpathsOfDirectory(atPath: packages)
                .first { $0.hasSuffix("playwright/driver/node") })
        let runners = [
            ["/usr/bin/python3", "-c"],
            ["\(packages)/\(node)", "--input-type=module-typescript", "-e"],
        ]
        var outputs: [String] = []
        for (program, runner) in zip(programs, runners) {
            let text = String(program.2).replacing("http://localhost:8000", with: url)
            let outcome = try Program.run(
                runner[0], runner.dropFirst() + [text],
                environment: ["KEY": key, "no_proxy": "*"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            outputs.append(outcome.output)
        }
        let record = try ReadmeExample.all(in: "Quickstart")
            .first { $0.command.contains(" -d ") }?.output.first
        let created = try #require(record)
        #expect(
            outputs == [
                "\(created)\n", "\(created.dropLast()),\"status\":\"duplicate\"}\n",
            ])
    }

    @Test func `says first that a retry without an id may charge twice, as openapi.json does`()
        throws
    {
        let text = try String(contentsOfFile: Repository.path("README.md"), encoding: .utf8)
        let warning = try #require(
            text.firstRange(
                of: "**Always send `message_id`: without it, a retry may charge twice.**"))
        let recipes = try #require(text.firstRange(of: "\n## Recipes\n"))
        #expect(warning.upperBound < recipes.lowerBound)
        #expect(text.contains("`Idempotency-Key`"))
        let openapi = try String(
            contentsOfFile: Repository.path("nginx/html/openapi.json"), encoding: .utf8)
        #expect(
            openapi.contains(
                #""description": "**Always send `message_id`. Without it, a retry may charge twice**"#
            ))
        #expect(openapi.contains("`Idempotency-Key` of a single message"))
    }

    @Test func `of the sources names tests that there are`() throws {
        let text = try String(contentsOfFile: Repository.path("Sources/README.md"), encoding: .utf8)
        let table = try #require(
            text.firstMatch(of: #/\n## Invariants(.*?)\n##\s/#.dotMatchesNewlines())
        ).1
        let names = table.matches(of: /\n\|[^|]*\|([^|]*)\|/).flatMap { row in
            row.1.matches(of: /`[^`]+`/).map { String($0.0) }
        }
        let folder = Repository.path("Tests")
        let tests = try FileManager.default.subpathsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix(".swift") || $0.hasSuffix(".py") }
            .map { try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }
        #expect(names.count > 20)
        for name in names {
            let words = name.lowercased().matches(of: /[a-z0-9]+/).map { $0.0 }
            let inPython = "def test_\(words.joined(separator: "_"))("
            let exists = tests.contains { $0.contains(name) || $0.contains(inPython) }
            #expect(exists, "\(name)")
        }
    }

    @Test(arguments: [
        "README.md", "deploy/README.md", "deploy/RUNBOOK.md", "Sources/README.md",
        "CONTRIBUTING.md", "TOKENIZATION_NOTES.md", "Tests/README.md", "Tests/Benchmarks/README.md",
    ])
    func `and its neighbours lead to pages and headings that there are`(page: String) throws {
        func text(_ page: URL) throws -> String { try String(contentsOf: page, encoding: .utf8) }
        let file = URL(fileURLWithPath: Repository.path(page))
        for link in try text(file).matches(of: /\]\((?!http)([^)#]*)#?([^)]*)\)/) {
            let target =
                link.1.isEmpty
                ? file : URL(fileURLWithPath: String(link.1), relativeTo: file).standardizedFileURL
            #expect(FileManager.default.fileExists(atPath: target.path), "\(link.0)")
            guard !link.2.isEmpty else { continue }
            let headings = try text(target).matches(of: /\n#+ (.*)/).map {
                $0.1.lowercased().replacing(/[^\w\- ]/, with: "").replacing(" ", with: "-")
            }
            #expect(headings.contains(String(link.2)), "\(link.0)")
        }
        // Swift files that Sources/README.md names.
        guard page == "Sources/README.md" else { return }
        let paths = try ["Sources", "Tests"].flatMap { folder in
            try FileManager.default.subpathsOfDirectory(atPath: Repository.path(folder))
                .map { "/\(folder)/\($0)" }
        }
        for match in try text(file).matches(of: /`([\w+\/-]+\.swift)`/) {
            #expect(paths.contains { $0.hasSuffix("/\(match.1)") }, "\(match.1)")
        }
    }
}
