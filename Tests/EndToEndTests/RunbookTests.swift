import Foundation
import TestSupport
import Testing

/// `deploy/RUNBOOK.md`, held to the alerts and to what there is to be quoted.
@Suite(.timeLimit(.minutes(1))) struct `The runbook` {
    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: Repository.path(path), encoding: .utf8)
    }

    /// All text below these folders.
    private func texts(_ folders: [String]) throws -> String {
        try folders.flatMap { folder in
            let names = try FileManager.default.subpathsOfDirectory(
                atPath: Repository.path(folder))
            return names.map { "\(folder)/\($0)" }
        }.compactMap { try? text($0) }.joined()
    }

    @Test func `has a heading for each alert, and the alert leads there`() throws {
        let alerts = try text("deploy/monitoring/orbital-alerts.yml")
            .matches(of: /- alert: (\w+)\n(?:  .*\n)*?\s+runbook_url: (.*)/)
        let names = alerts.map { String($0.1) }
        #expect(names.count == 17)
        for alert in alerts {
            // It is a whole address, and deploy/install puts the page there.
            let page = "file:///usr/share/doc/orbital-usage/RUNBOOK.md"
            #expect(alert.2 == "\(page)#\(alert.1.lowercased())")
        }
        let headings = try text("deploy/RUNBOOK.md").matches(of: /\n### (Orbital\w+)\n/)
        #expect(Set(headings.map { String($0.1) }) == Set(names))
        #expect(headings.count == names.count)
    }

    @Test func `leads to headings that there are`() throws {
        let text = try text("deploy/RUNBOOK.md")
        let anchors = Set(
            text.matches(of: /\n#+ (.*)/).map {
                $0.1.lowercased().replacing(" ", with: "-").replacing("'", with: "")
            })
        let links = text.matches(of: /\]\(#([^)]*)\)/).map { String($0.1) }
        #expect(links.count > 10)
        for link in links { #expect(anchors.contains(link), "\(link)") }
    }

    @Test func `quotes settings, metrics, commands and log lines that there are`() throws {
        let page = try text("deploy/RUNBOOK.md")
        let sources = try texts(["Sources"])
        let known = try sources + texts(["deploy/systemd", "nginx/optional", "nginx/snippets"])
        var quoted: [String] = page.matches(of: /`([A-Z]+_[A-Z_]+)\*?`/).map { String($0.1) }
        quoted += page.matches(of: /\borbital_(?!before|closed|restored|responder|fcgi)[a-z_]+/).map
        {
            String($0.0)
        }
        quoted += page.matches(of: /-g '([a-z ]+)'/).map { String($0.1) }
        for match in page.matches(
            of: /orbitalctl ([a-z]+)(?: (create|list|add|revoke|up|down|status|advance))?/)
        {
            let words = [match.1, match.2 ?? match.1].map {
                $0.prefix(1).uppercased() + $0.dropFirst()
            }
            quoted += words.map { "struct \($0): ParsableCommand" }
        }
        #expect(quoted.count > 30)
        for text in quoted where !["KEY_ID", "MESSAGE_ID", "DATABASE_URL"].contains(text) {
            let isKnown = known.contains(text)
            #expect(isKnown, "\(text)")
        }
        for name in page.matches(of: /`(?:snippets\/)?(orbital-[a-z-]+)\*?\.conf`/) {
            let there = try FileManager.default.subpathsOfDirectory(
                atPath: Repository.path("nginx"))
            #expect(there.contains { $0.contains(name.1) }, "\(name.1)")
        }
    }

    @Test func `says with the manual what takes a restart`() throws {
        let page = try #require(
            try text("deploy/RUNBOOK.md").firstMatch(
                of: /\n\| in it: (.*?) \| `sudo systemctl restart/))
        let manual = try #require(
            try text("deploy/man/orbital-usage.env.5")
                .firstMatch(
                    of: /A restart, which loses no request, is needed for\n(.*?)\n\.Sh/
                        .dotMatchesNewlines()))
        func names(_ text: Substring) -> [String] {
            text.matches(of: /[A-Z_]{3,}/).map { String($0.0) }
        }
        #expect(names(page.1) == names(manual.1))
        // What the responder takes from its settings once, and does not read again at a reload.
        let source = try text("Sources/orbital-fcgi/RunServer.swift")
        func properties(_ matches: [Regex<(Substring, Substring)>.Match]) -> Set<String> {
            Set(
                matches.map {
                    String($0.1).replacing(/[A-Z]/) { "_\($0.0)" }.uppercased()
                })
        }
        let all = properties(source.matches(of: /\bsettings\.([A-Za-z]+)/))
        let reloaded = properties(source.matches(of: /generation\.settings\.([A-Za-z]+)/))
        #expect(Set(names(page.1)) == all.subtracting(reloaded))
    }
}
