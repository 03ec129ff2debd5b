/// Splits text into pieces, as tiktoken's regular expressions do; tokens never cross their borders.
///
/// The expressions (tiktoken_ext/openai_public.py) are alternatives; the first match counts. No
/// piece is read more than twice.
struct PieceScanner {
    private let text: ByteText
    private let isO200k: Bool
    private let classes = ScalarClass.table
    private var start = 0

    init(_ text: ByteText, _ encoding: TokenEncoding) {
        self.text = text
        isO200k = encoding == .o200kBase
    }

    /// The next piece; nil after the last.
    mutating func next() -> Range<Int>? {
        guard start < text.count else { return nil }
        let end = isO200k ? o200kEnd() : cl100kEnd()
        defer { start = end }
        return start..<end
    }

    // '(?i:[sdmt]|ll|ve|re) | [^\r\n\p{L}\p{N}]?+\p{L}++ | \p{N}{1,3}+
    // | ?[^\s\p{L}\p{N}]++[\r\n]*+ | \s++$ | \s*[\r\n] | \s+(?!\S) | \s
    private func cl100kEnd() -> Int {
        if let end = contractionEnd(start) { return end }
        let (first, second) = scalar(at: start)
        let letters = first.isIn(.beforeWord) ? second : start
        let end = runEnd(letters, .letter)
        if end > letters { return end }
        return numberEnd() ?? symbolsEnd() ?? spaceEnd()
    }

    // [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
    // | [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
    // | \p{N}{1,3} | ?[^\s\p{L}\p{N}]+[\r\n/]* | \s*[\r\n]+ | \s+(?!\S) | \s+
    private func o200kEnd() -> Int {
        if let end = casedWordEnd() { return contractionEnd(end) ?? end }
        return numberEnd() ?? symbolsEnd() ?? spaceEnd()
    }

    /// The first two alternatives of o200k, without the contraction.
    private func casedWordEnd() -> Int? {
        let (first, second) = scalar(at: start)
        let letters = first.isIn(.beforeWord) ? second : start
        // Matches as many upper ones as possible; backtracks over those that are also lower.
        var upperEnd = letters
        var lastLowerEnd: Int?
        while true {
            let (kind, next) = scalar(at: upperEnd)
            if !kind.isIn(.upperPart) { break }
            upperEnd = next
            if kind != .upper { lastLowerEnd = next }
        }
        let lowerEnd = runEnd(upperEnd, .lowerPart)
        if lowerEnd > upperEnd { return lowerEnd }
        if let lastLowerEnd { return lastLowerEnd }
        // A mark that was matched as the prefix of a word may be a word itself.
        if first == .mark { return second }
        return upperEnd > letters ? upperEnd : nil
    }

    private func numberEnd() -> Int? {
        var end = start
        for _ in 0..<3 {
            let (kind, next) = scalar(at: end)
            if kind != .number { break }
            end = next
        }
        return end > start ? end : nil
    }

    private func symbolsEnd() -> Int? {
        let symbols = text[start] == UInt8(ascii: " ") ? start + 1 : start
        var end = runEnd(symbols, .sign)
        if end == symbols { return nil }
        while end < text.count {
            let byte = text[end]
            guard
                byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
                    || (isO200k && byte == UInt8(ascii: "/"))
            else { break }
            end += 1
        }
        return end
    }

    /// White space up to its last line break; otherwise to the end of the text; otherwise without its
    /// last scalar, which may begin a word.
    private func spaceEnd() -> Int {
        var end = start
        var last = start
        var lineBreakEnd: Int?
        while true {
            let (kind, next) = scalar(at: end)
            if !kind.isIn(.space) { break }
            last = end
            end = next
            if kind == .lineBreak { lineBreakEnd = end }
        }
        // In cl100k, the end of the text has priority.
        if end == text.count, !isO200k { return end }
        if let lineBreakEnd { return lineBreakEnd }
        return end == text.count || last == start ? end : last
    }

    /// The end of an apostrophe with s, t, re, ve, m, ll or d; nil if there is none at `position`.
    ///
    /// Ignores case; U+017F is an s if case is ignored.
    @inline(__always)
    private func contractionEnd(_ position: Int) -> Int? {
        guard position + 1 < text.count, text[position] == UInt8(ascii: "'") else { return nil }
        let first = text[position + 1] | 0x20
        let second = position + 2 < text.count ? text[position + 2] | 0x20 : 0
        switch (first, second) {
        case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
            (UInt8(ascii: "d"), _):
            return position + 2
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return position + 3
        default:
            return text.scalar(at: position + 1).value == 0x17f ? position + 3 : nil
        }
    }

    @inline(__always)
    private func runEnd(_ position: Int, _ kinds: ScalarClass) -> Int {
        var end = position
        while true {
            let (kind, next) = scalar(at: end)
            if !kind.isIn(kinds) { return end }
            end = next
        }
    }

    /// The class of the scalar at a position (none at the end), and the position of the next one.
    @inline(__always)
    private func scalar(at position: Int) -> (kind: ScalarClass, next: Int) {
        guard position < text.count else { return (.none, position) }
        let (value, length) = text.scalar(at: position)
        return (classes[value], position + length)
    }
}
