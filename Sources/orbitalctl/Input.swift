import Foundation

/// The bytes of a file or of standard input, read in pieces.
final class Input {
    private let handle: FileHandle
    private var piece: [UInt8] = []
    private var index = 0
    private var consumed = 0

    /// The line of the next byte, from 1.
    private(set) var line = 1

    /// The file's size; nil for a pipe.
    let size: Int?

    private static let pieceBytes = 256 * 1024

    /// Opens `path`, `-` being standard input.
    init(path: String) throws {
        if path == "-" {
            handle = .standardInput
            size = nil
        } else {
            guard let handle = FileHandle(forReadingAtPath: path) else {
                throw Failure(message: "cannot read \(path)", status: EX_NOINPUT)
            }
            self.handle = handle
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            size =
                (attributes[.type] as? FileAttributeType) == .typeRegular
                ? attributes[.size] as? Int : nil
        }
        try skipByteOrderMark()
    }

    /// How many bytes have been taken.
    var position: Int { consumed + index }

    /// The next byte without taking it; nil at the end.
    func peek() throws -> UInt8? {
        if index == piece.count {
            consumed += piece.count
            index = 0
            do {
                piece = [UInt8](try handle.read(upToCount: Self.pieceBytes) ?? Data())
            } catch {
                throw Failure(
                    message: "cannot read the input: \(String(cString: strerror(errno)))",
                    status: EX_IOERR)
            }
        }
        return index < piece.count ? piece[index] : nil
    }

    /// Takes the next byte; nil at the end.
    func next() throws -> UInt8? {
        guard let byte = try peek() else { return nil }
        index += 1
        if byte == UInt8(ascii: "\n") { line += 1 }
        return byte
    }

    /// Skips blanks and line breaks; the byte after them, not taken.
    func peekAfterBlanks() throws -> UInt8? {
        while let byte = try peek(), [0x20, 0x09, 0x0a, 0x0d].contains(byte) { _ = try next() }
        return try peek()
    }

    private func skipByteOrderMark() throws {
        guard try peek() == 0xef, piece.count >= 3, piece[1] == 0xbb, piece[2] == 0xbf else {
            return
        }
        index = 3
    }
}
