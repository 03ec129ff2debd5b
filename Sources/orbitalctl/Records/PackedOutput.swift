import APIKeys
import CZlib
import Foundation

/// A gzip file that gets its name only when it is complete.
final class PackedOutput {
    private let file: OutputFile
    private let digest = StreamedDigest()
    private var stream = z_stream()
    private var buffer: [UInt8] = []
    private var packed = [UInt8](repeating: 0, count: pieceBytes)

    /// The number of bytes in the file.
    private(set) var byteCount = 0

    private static let pieceBytes = 256 * 1024

    /// Opens `path`, which is replaced at the end.
    init(path: String) throws {
        file = try OutputFile(path: path)
        let size = Int32(MemoryLayout<z_stream>.size)
        let code = deflateInit2_(
            &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY,
            ZLIB_VERSION, size)
        guard code == Z_OK else {
            throw Failure(message: "not enough memory for \(path)", status: EX_OSERR)
        }
    }

    deinit { deflateEnd(&stream) }

    /// Appends `bytes`.
    func write(_ bytes: [UInt8]) throws {
        buffer += bytes
        if buffer.count >= Self.pieceBytes { try deflate(Z_NO_FLUSH) }
    }

    /// Writes the rest, and gives the file its name; returns the SHA-256 of the file.
    func close() throws -> String {
        try deflate(Z_FINISH)
        try file.close()
        return digest.end()
    }

    private func deflate(_ flush: Int32) throws {
        var index = 0
        repeat {
            let code = deflate_piece(
                &stream, buffer, index, buffer.count, &packed, UInt32(packed.count), flush)
            precondition(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR)
            index = buffer.count - Int(stream.avail_in)
            let piece = packed[..<(packed.count - Int(stream.avail_out))]
            digest.add(piece)
            byteCount += piece.count
            try file.write(Array(piece))
        } while stream.avail_out == 0
        buffer.removeAll(keepingCapacity: true)
    }
}
