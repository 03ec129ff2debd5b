extension Vocabulary {
    /// Reads a file of lines that are a token in base64, a space and its rank, from 0 upward.
    init(_ encoding: TokenEncoding, path: String) throws(TokenizerError) {
        let file = encoding.file
        let lines = try contents(of: path, size: file.size)
        guard checksum(lines) == file.checksum else {
            throw TokenizerError(path: path, reason: "is not the published \(encoding.rawValue)")
        }
        try self.init(emptyFor: encoding)
        var line = LineReader(lines)
        for rank in 0..<file.tokens {
            guard line.readToken(), line.readNumber() == rank,
                withBytes(of: line.token, { add(UInt32(rank), $0) })
            else { throw TokenizerError(path: path, reason: "is damaged in line \(rank + 1)") }
        }
    }
}

/// FNV-1a in 64 bits.
private func checksum(_ bytes: [UInt8]) -> UInt64 {
    var sum: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { sum = (sum ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return sum
}

/// Takes the parts of a line.
private struct LineReader {
    private let bytes: [UInt8]
    private var position = 0

    /// The last token read.
    private(set) var token: [UInt8] = []

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads base64 up to a space; false if it is invalid or does not encode 1 to 255 bytes.
    mutating func readToken() -> Bool {
        token.removeAll(keepingCapacity: true)
        var bits: UInt32 = 0
        var bitCount = 0
        while let byte = next(), byte != UInt8(ascii: " ") {
            if byte == UInt8(ascii: "=") { continue }
            let value = base64Values[Int(byte)]
            if value > 63 { return false }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                token.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
            }
        }
        return (1...255).contains(token.count)
    }

    /// Reads digits up to a line feed.
    mutating func readNumber() -> Int? {
        var number = 0
        while let byte = next(), byte != UInt8(ascii: "\n") {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), number < 1 << 24 else {
                return nil
            }
            number = number * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return number
    }

    private mutating func next() -> UInt8? {
        guard position < bytes.count else { return nil }
        position += 1
        return bytes[position - 1]
    }
}

/// The value of each character of base64 (RFC 4648, section 4); 255 for all others.
private let base64Values: [UInt8] = {
    var values = [UInt8](repeating: 255, count: 256)
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for (value, character) in alphabet.utf8.enumerated() { values[Int(character)] = UInt8(value) }
    return values
}()
