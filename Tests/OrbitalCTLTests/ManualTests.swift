import Foundation
import TestSupport
import Testing

/// The manual pages, compared with the programs' help.
@Suite(.timeLimit(.minutes(1))) struct `The manual pages` {
    /// A command as swift-argument-parser describes it.
    private struct Command: Decodable {
        struct Argument: Decodable {
            struct Name: Decodable {
                let name: String
            }
            let names: [Name]?
            let defaultValue: String?
            let shouldDisplay: Bool
        }
        let commandName: String
        let arguments: [Argument]?
        let subcommands: [Command]?

        /// Every command without subcommands, by its words.
        func leaves(after words: [String] = []) -> [(words: String, arguments: [Argument])] {
            guard let subcommands else {
                return [(words.joined(separator: " "), arguments ?? [])]
            }
            return subcommands.flatMap { $0.leaves(after: words + [$0.commandName]) }
        }
    }

    /// An item of a list: the names before its arguments, and its text.
    private struct Item {
        let names: [Substring]
        let text: String

        init?(_ text: String, macro: String) {
            guard let line = text.split(separator: "\n").first, line.hasPrefix("\(macro) ") else {
                return nil
            }
            self.text = text
            names = line.components(separatedBy: " , ").map { part in
                let words = part.split(separator: " ").dropFirst()
                let end = words.firstIndex { ["Ar", "Op"].contains($0) } ?? words.endIndex
                return Substring(words[..<end].joined(separator: " "))
            }
        }
    }

    private func page(_ name: String) throws -> String {
        try String(contentsOfFile: Repository.path("deploy/man/\(name)"), encoding: .utf8)
    }

    private func items(_ text: String, _ macro: String) -> [Item] {
        text.components(separatedBy: "\n.It ").compactMap { Item($0, macro: macro) }
    }

    @Test func `document every command of orbitalctl, and every option with its default`() throws {
        struct Dump: Decodable {
            let command: Command
        }
        let dump = try Program.run(
            Repository.program("orbitalctl"), ["--experimental-dump-help"])
        let leaves = try JSONDecoder().decode(Dump.self, from: Data(dump.output.utf8))
            .command.leaves()
        #expect(leaves.count >= 13)
        let common: Set = ["-version", "-help", "h"]
        var documented: [String] = []
        for section in try page("orbitalctl.8").components(separatedBy: "\n.Ss ").dropFirst() {
            let part = section.components(separatedBy: "\n.Sh ")[0]
            let commands = Set(items(part, "Cm").flatMap(\.names).map(String.init))
            documented += commands
            var options: Set<String> = []
            for argument in leaves.filter({ commands.contains($0.words) }).flatMap(\.arguments) {
                let names = Set(
                    (argument.names ?? []).map { $0.name.count == 1 ? $0.name : "-\($0.name)" })
                if names.isEmpty || !argument.shouldDisplay || names.isSubset(of: common) {
                    continue
                }
                options.formUnion(names)
                let item = items(part, "Fl").first { names == Set($0.names.map(String.init)) }
                if let value = argument.defaultValue?.replacing(/\.0$/, with: "") {
                    #expect(item?.text.contains(value) == true, "\(names): \(value)")
                }
            }
            #expect(Set(items(part, "Fl").flatMap(\.names).map(String.init)) == options)
        }
        #expect(documented.sorted() == leaves.map(\.words).sorted())
    }

    @Test func `document every option of orbital-fcgi`() throws {
        let help = try Program.run(Repository.program("orbital-fcgi"), ["--help"]).output
        let options = Set(help.matches(of: /\n +-(-[a-z]+)/).map { String($0.1) })
        #expect(options.count == 3)
        let names = items(try page("orbital-fcgi.8"), "Fl").flatMap(\.names).map(String.init)
        #expect(Set(names.filter { $0 != "h" }) == options)
    }
}
