/// One JSON object a line; blank lines count for nothing.
struct NDJSONSource: MessageSource {
    private let input: Input
    private let decoder = MessageDecoder()

    init(_ input: Input) { self.input = input }

    mutating func next() throws -> SourceItem? {
        while try input.peek() != nil {
            let number = input.line
            var line: [UInt8] = []
            var length = 0
            while let byte = try input.next(), byte != UInt8(ascii: "\n") {
                length += 1
                if length <= SourceItem.limitBytes { line.append(byte) }
            }
            guard length <= SourceItem.limitBytes else {
                return SourceItem(
                    line: number, raw: Array(line.prefix(SourceItem.shownBytes)),
                    content: .failure(SourceItem.tooLong))
            }
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }) { continue }
            return SourceItem(line: number, raw: line, content: decoder.message(from: line))
        }
        return nil
    }
}
