/// The items of a body: one value, the elements of an array, or the lines of NDJSON.
public enum JSONItems {
    /// The value that is the whole text.
    case single(JSONItem)
    /// The elements of an array, or the lines.
    case many([JSONItem])

    /// Reads a text that is one value; the elements of an array one by one.
    ///
    /// Throws a fault, with the index of the element in which it is, and for a text with more than
    /// `limit` elements `TooManyItems`.
    public init(json text: consuming [UInt8], limit: Int) throws {
        var parser = try Self.parser(text)
        guard let first = parser.peek() else { throw JSONBodyFault(index: nil, "it is empty", 0) }
        if first == UInt8(ascii: "[") {
            self = .many(try Self.elements(&parser, limit))
        } else {
            self = .single(try Self.item(&parser, nil))
        }
        if parser.peek() != nil {
            throw JSONBodyFault(index: nil, "more follows after its end", parser.offset)
        }
    }

    /// Reads a text with one value a line; empty lines count for nothing.
    ///
    /// A line that is no JSON is an item like any other. Throws `TooManyItems` above `limit` lines.
    public init(lines text: [UInt8], limit: Int) throws {
        var items: [JSONItem] = []
        for line in text.split(separator: UInt8(ascii: "\n")) {
            guard let item = Self.item(ofLine: line) else { continue }
            guard items.count < limit else { throw TooManyItems() }
            items.append(item)
        }
        self = .many(items)
    }

    private static func item(ofLine line: ArraySlice<UInt8>) -> JSONItem? {
        do throws(JSONFault) {
            var parser = try JSONParser(Array(line))
            guard parser.peek() != nil else { return nil }
            let item = try parser.item()
            return parser.peek() == nil ? item : .malformed("more follows after its end")
        } catch {
            return .malformed(error.reason)
        }
    }

    private static func parser(_ text: consuming [UInt8]) throws -> JSONParser {
        do throws(JSONFault) {
            return try JSONParser(text)
        } catch {
            throw JSONBodyFault(index: nil, error.reason, error.offset)
        }
    }

    private static func elements(_ parser: inout JSONParser, _ limit: Int) throws -> [JSONItem] {
        parser.skip()
        var items: [JSONItem] = []
        if parser.peek() == UInt8(ascii: "]") {
            parser.skip()
            return []
        }
        while true {
            guard items.count < limit else { throw TooManyItems() }
            items.append(try item(&parser, items.count))
            let next = parser.peek()
            parser.skip()
            if next == UInt8(ascii: "]") { return items }
            guard next == UInt8(ascii: ",") else {
                throw JSONBodyFault(
                    index: items.count - 1, "',' or ']' is expected after it", parser.offset - 1)
            }
        }
    }

    private static func item(_ parser: inout JSONParser, _ index: Int?) throws -> JSONItem {
        do throws(JSONFault) {
            return try parser.item()
        } catch {
            throw JSONBodyFault(index: index, error.reason, error.offset)
        }
    }
}

/// Why a body is no JSON, and in which of its items.
public struct JSONBodyFault: Error, Equatable {
    /// The item, from 0; nil when the body has none.
    public let index: Int?

    /// What is wrong.
    public let reason: String

    /// The offset of the byte at which that was noticed.
    public let offset: Int

    init(index: Int?, _ reason: String, _ offset: Int) {
        self.index = index
        self.reason = reason
        self.offset = offset
    }
}

/// A body has more items than are taken at once.
public struct TooManyItems: Error {}
