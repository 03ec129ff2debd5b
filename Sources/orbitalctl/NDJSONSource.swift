/// One JSON object a line; blank lines are skipped.
struct NDJSONSource: MessageSource {
    private let input: Input

    init(_ input: Input) { self.input = input }

    mutating func next() throws -> SourceItem? {
        while try input.peekAfterBlanks() != nil {
            let number = input.line
            var line = LimitedBytes()
            try input.read(until: { $0 == UInt8(ascii: "\n") }, { line.append($0) })
            return SourceItem(line: number, json: line)
        }
        return nil
    }
}
