import Foundation

/// A file that appears under its name only when it is complete; or standard output.
final class OutputFile {
    private let path: String?
    private let handle: FileHandle
    private var buffer: [UInt8] = []

    private static let bufferBytes = 256 * 1024

    /// Opens `path`, nil being standard output.
    init(path: String?) throws {
        self.path = path
        guard let path else {
            handle = .standardOutput
            return
        }
        let partial = Self.partial(path)
        guard FileManager.default.createFile(atPath: partial, contents: nil),
            let handle = FileHandle(forWritingAtPath: partial)
        else { throw Failure(message: "cannot write \(path)", status: EX_CANTCREAT) }
        self.handle = handle
    }

    /// Appends `bytes`.
    func write(_ bytes: [UInt8]) throws {
        buffer += bytes
        if buffer.count >= Self.bufferBytes { try flush() }
    }

    /// Writes what is left and gives the file its name.
    func close() throws {
        try flush()
        guard let path else { return }
        try handle.synchronize()
        try handle.close()
        guard rename(Self.partial(path), path) == 0 else {
            throw Failure(message: "cannot write \(path): \(String(cString: strerror(errno)))", status: EX_IOERR)
        }
    }

    private func flush() throws {
        do {
            try handle.write(contentsOf: Data(buffer))
        } catch {
            throw Failure(
                message: "cannot write \(path ?? "to standard output"): \(error.localizedDescription)",
                status: EX_IOERR)
        }
        buffer.removeAll(keepingCapacity: true)
    }

    private static func partial(_ path: String) -> String { path + ".partial" }
}
