import CZlib
import Foundation

/// The bytes of a file, unpacked if it is gzip.
///
/// zlib's `gzread` silently ignores data after a gzip member, even a truncated member.
final class PackedFile {
    private let descriptor: Int32
    private var packed: [UInt8] = []
    private var index = 0
    private var isGzip = false
    private var stream = z_stream()

    /// Whether the last bytes read are within a gzip member.
    private var isInMember = false

    /// How many bytes of the file have been read.
    private(set) var position = 0

    private static let pieceBytes = 256 * 1024

    /// Why a file cannot be unpacked.
    struct Fault: Error {
        let reason: String
    }

    /// Takes over `descriptor`, which is open for reading.
    init(descriptor: Int32) throws {
        self.descriptor = descriptor
        while packed.count < 2, try load() {}
        isGzip = isMember
        guard isGzip else { return }
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(&stream, 16 + MAX_WBITS, ZLIB_VERSION, size) == Z_OK else {
            throw Fault(reason: "not enough memory")
        }
        isInMember = true
    }

    deinit {
        if isGzip { inflateEnd(&stream) }
        close(descriptor)
    }

    /// The next piece; shorter only at the end of the file, and then empty.
    ///
    /// Throws `Fault`, or `POSIXError` when reading fails.
    func read() throws -> [UInt8] {
        guard isGzip else {
            if index == packed.count { _ = try load() }
            defer { index = packed.count }
            return Array(packed[index...])
        }
        var bytes: [UInt8] = []
        while try bytes.count < Self.pieceBytes && (isInMember || goToNextMember()) {
            if index == packed.count, try !load() { throw Fault(reason: "unexpected end of file") }
            bytes += try inflated()
        }
        return bytes
    }

    /// The next packed bytes, unpacked.
    private func inflated() throws -> ArraySlice<UInt8> {
        var bytes = [UInt8](repeating: 0, count: Self.pieceBytes)
        let code = inflate_piece(
            &stream, packed, index, packed.count, &bytes, UInt32(bytes.count))
        index = packed.count - Int(stream.avail_in)
        guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
            throw Fault(reason: stream.msg.map { String(cString: $0) } ?? "not in gzip format")
        }
        if code == Z_STREAM_END { isInMember = false }
        return bytes.dropLast(Int(stream.avail_out))
    }

    /// Goes to the next gzip member, if any; tapes pad files with zeros.
    private func goToNextMember() throws -> Bool {
        while packed.count - index < 2, try load() {}
        if isMember {
            inflateReset(&stream)
            isInMember = true
            return true
        }
        repeat {
            guard packed[index...].allSatisfy({ $0 == 0 }) else {
                throw Fault(reason: "other data follows the gzip data")
            }
            index = packed.count
        } while try load()
        return false
    }

    /// Whether a gzip member begins here.
    private var isMember: Bool { packed[index...].starts(with: [0x1f, 0x8b]) }

    /// Appends another piece to the unread bytes; false at the end.
    private func load() throws -> Bool {
        packed.removeFirst(index)
        index = 0
        let start = packed.count
        var bytes = [UInt8](repeating: 0, count: Self.pieceBytes)
        while packed.count < Self.pieceBytes {
            let count = Foundation.read(descriptor, &bytes, bytes.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
            if count == 0 { break }
            packed += bytes.prefix(count)
            position += count
        }
        return packed.count > start
    }
}
