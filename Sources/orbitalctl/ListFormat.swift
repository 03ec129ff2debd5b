import ArgumentParser
import Encoding
import Foundation

/// How a command prints a list: lines for people, or JSON for programs.
struct ListFormat: ParsableArguments {
    @Flag(help: "Print a JSON array.") var json = false

    /// Prints a list, each item as a line or as a JSON object with these members.
    func show<Item>(
        _ items: some Sequence<Item>, line: (Item) -> String,
        members: (Item, inout JSONWriter) -> Void
    ) {
        guard json else { return items.forEach { print(line($0)) } }
        var json = JSONWriter()
        json.array { json in
            for item in items { json.object { members(item, &$0) } }
        }
        print(String(decoding: json.bytes, as: UTF8.self))
    }
}
