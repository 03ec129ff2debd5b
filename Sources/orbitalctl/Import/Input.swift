import Encoding
import Foundation

/// The bytes of a file or of standard input as UTF-8, read in pieces: unpacked if they are gzip,
/// converted if they are UTF-16 with a byte order mark.
final class Input {
    private let path: String
    private let file: PackedFile
    private var utf16: UTF16Converter?

    // Not checked at run time for two uses at once: that cost 8 % of reading a CSV file.
    @exclusivity(unchecked) private var piece: [UInt8] = []
    @exclusivity(unchecked) private var index = 0

    /// The line of the next byte, from 1.
    @exclusivity(unchecked) private(set) var line = 1

    /// The file's size; nil for a pipe.
    let size: Int?

    /// Opens `path`; `-` is standard input.
    init(path: String) throws {
        self.path = path == "-" ? "the input" : path
        let descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure("cannot read \(self.path)", status: EX_NOINPUT)
        }
        file = try Self.reporting(self.path) { try PackedFile(descriptor: descriptor) }
        var status = stat()
        size =
            fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            ? Int(status.st_size) : nil
        try skipByteOrderMark()
    }

    /// How many bytes of the file have been read.
    var position: Int { file.position }

    /// The next byte without taking it; nil at the end.
    func peek() throws -> UInt8? {
        if index == piece.count { try fill() }
        return index < piece.count ? piece[index] : nil
    }

    /// Takes the next byte; nil at the end.
    func next() throws -> UInt8? {
        guard let byte = try peek() else { return nil }
        index += 1
        if byte == UInt8(ascii: "\n") { line += 1 }
        return byte
    }

    /// Reads up to the first byte for which `isEnd` is true, or to the end of the file, and passes
    /// the bytes to `take` in pieces.
    @inline(__always)
    func read(
        until isEnd: (UInt8) -> Bool, _ take: (ArraySlice<UInt8>) -> Void
    ) throws {
        while try peek() != nil {
            var end = index
            while end < piece.count, !isEnd(piece[end]) {
                if piece[end] == UInt8(ascii: "\n") { line += 1 }
                end += 1
            }
            if end > index { take(piece[index..<end]) }
            index = end
            if end < piece.count { return }
        }
    }

    /// Skips white space; returns the next byte without taking it.
    func peekAfterBlanks() throws -> UInt8? {
        try read(until: { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }, { _ in })
        return try peek()
    }

    /// The first line, as far as it is in the first piece, without consuming it.
    func peekLine() throws -> ArraySlice<UInt8> {
        _ = try peek()
        return piece[index...].prefix { $0 != UInt8(ascii: "\n") }
    }

    /// Reads the next piece, which is empty at the end.
    private func fill() throws {
        index = 0
        repeat {
            piece = try Self.reporting(path) { try file.read() }
            if piece.isEmpty {
                if utf16?.dropRest() == true { piece = [0xff] }
                return
            }
            utf16?.convert(&piece)
        } while piece.isEmpty
    }

    private static func reporting<Result>(_ path: String, _ body: () throws -> Result) throws
        -> Result
    {
        do {
            return try body()
        } catch let fault as PackedFile.Fault {
            throw Failure(message: "cannot read \(path): \(fault.reason)", status: EX_DATAERR)
        } catch let error as POSIXError {
            throw Failure("cannot read \(path)", errno: error.code.rawValue, status: EX_IOERR)
        }
    }

    private func skipByteOrderMark() throws {
        try fill()
        if piece.starts(with: [0xef, 0xbb, 0xbf]) {
            index = 3
        } else if piece.starts(with: [0xff, 0xfe]) || piece.starts(with: [0xfe, 0xff]) {
            var converter = UTF16Converter(isBigEndian: piece[0] == 0xfe)
            piece.removeFirst(2)
            converter.convert(&piece)
            utf16 = converter
        }
    }
}

extension Input: ByteReader {
    func read(
        until first: UInt8, or second: UInt8, _ take: (ArraySlice<UInt8>) -> Void
    ) throws {
        try read(until: { $0 == first || $0 == second }, take)
    }
}

/// Converts UTF-16 to UTF-8, piece by piece; an unpaired surrogate becomes invalid UTF-8.
struct UTF16Converter {
    private let isBigEndian: Bool

    /// The start of a unit or a surrogate pair that continues in the next piece.
    private var rest: [UInt8] = []

    init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

    /// Discards an incomplete character at the end of the file; false if there is none.
    mutating func dropRest() -> Bool {
        defer { rest = [] }
        return !rest.isEmpty
    }

    /// Converts `piece`; keeps an incomplete character for the next one.
    mutating func convert(_ piece: inout [UInt8]) {
        let bytes = rest + piece
        var units = stride(from: 0, to: bytes.count - 1, by: 2).map { index in
            let (first, second) = (UInt16(bytes[index]), UInt16(bytes[index + 1]))
            return isBigEndian ? first << 8 | second : second << 8 | first
        }
        if let last = units.last, UTF16.isLeadSurrogate(last) { units.removeLast() }
        rest = Array(bytes[(2 * units.count)...])
        piece = []
        piece.reserveCapacity(bytes.count * 3 / 2)
        var parser = UTF16.ForwardParser()
        var input = units.makeIterator()
        while true {
            switch parser.parseScalar(from: &input) {
            case .valid(let pair):
                piece += UTF8.transcode(pair, from: UTF16.self) ?? UTF8.encodedReplacementCharacter
            case .error: piece.append(0xff)
            case .emptyInput: return
            }
        }
    }
}
