/// The items of a body: one value, the elements of an array, or the lines of NDJSON; of each, what
/// the caller makes of it as soon as it is read, so that no more than one is kept as JSON.
public enum JSONItems<Item> {
    /// The value that is the whole text.
    case single(Item)
    /// The elements of an array, or the lines.
    case many([Item])

    /// Reads a text that is one value; the elements of an array one by one.
    ///
    /// Throws a fault, with the index of the element in which it is, and for a text with more than
    /// `limit` elements `TooManyItems`.
    public init(
        json text: consuming [UInt8], limit: Int, _ item: (JSONItem) -> Item
    ) throws {
        var parser = JSONParser(text)
        do throws(JSONFault) {
            try parser.validate()
        } catch {
            throw JSONBodyFault(index: nil, error.reason, error.offset)
        }
        guard let first = parser.peek() else { throw JSONBodyFault(index: nil, "it is empty", 0) }
        if first == UInt8(ascii: "[") {
            self = .many(try parser.elements(limit, item))
        } else {
            self = .single(item(try parser.element(nil)))
        }
        if parser.peek() != nil {
            throw JSONBodyFault(
                index: nil,
                "more follows after its end. Several values must be an array, or NDJSON "
                    + "(Content-Type: application/x-ndjson)",
                parser.offset)
        }
    }

    /// Reads a text with one value a line; empty lines count for nothing.
    ///
    /// A line that is not JSON is an item like any other. Throws `TooManyItems` above `limit` lines.
    public init(
        lines text: consuming [UInt8], limit: Int, _ item: (JSONItem) -> Item
    ) throws {
        var parser = JSONParser(text)
        var items: [Item] = []
        while parser.goToNextLine() {
            guard items.count < limit else { throw TooManyItems() }
            items.append(item(parser.line()))
        }
        self = .many(items)
    }
}

extension JSONParser {
    /// The one value of the text or line.
    mutating func line() -> JSONItem {
        do throws(JSONFault) {
            try validate()
            let item = try item()
            return peek() == nil ? item : .malformed("more follows after its end")
        } catch {
            return .malformed(error.reason)
        }
    }

    fileprivate mutating func elements<Item>(
        _ limit: Int, _ item: (JSONItem) -> Item
    ) throws -> [Item] {
        skip()
        var items: [Item] = []
        if peek() == UInt8(ascii: "]") {
            skip()
            return []
        }
        while true {
            guard items.count < limit else { throw TooManyItems() }
            items.append(item(try element(items.count)))
            let next = peek()
            skip()
            if next == UInt8(ascii: "]") { return items }
            guard next == UInt8(ascii: ",") else {
                throw JSONBodyFault(
                    index: items.count - 1, "',' or ']' is expected after it", offset - 1)
            }
        }
    }

    fileprivate mutating func element(_ index: Int?) throws -> JSONItem {
        do throws(JSONFault) {
            return try item()
        } catch {
            throw JSONBodyFault(index: index, error.reason, error.offset)
        }
    }
}

/// Why a body is not JSON, and which item is invalid.
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
