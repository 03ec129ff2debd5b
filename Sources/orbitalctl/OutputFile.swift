import Foundation

/// A file that gets its name only when it is complete; or standard output.
final class OutputFile {
    private let path: String?
    private let partialPath: String?
    private let handle: FileHandle
    private var buffer: [UInt8] = []

    private static let bufferBytes = 256 * 1024

    /// Opens `path`, standard output if nil; pipes and devices are written directly.
    ///
    /// `newMode` is for a file that does not exist yet.
    init(path: String?, newMode: mode_t = 0o600) throws {
        self.path = path
        guard let path else {
            partialPath = nil
            handle = .standardOutput
            return
        }
        var status = stat()
        let exists = stat(path, &status) == 0
        let isSpecial = exists && status.st_mode & S_IFMT != S_IFREG
        // Beside the file itself, not a link to it. Texts are private: only the owner may read a new file.
        let target = exists ? URL(fileURLWithPath: path).resolvingSymlinksInPath().path : path
        let written = isSpecial ? path : "\(target).partial-\(getpid())"
        let mode = exists ? status.st_mode & 0o777 : newMode
        let flags = isSpecial ? O_WRONLY : O_WRONLY | O_CREAT | O_EXCL
        let descriptor = open(written, flags | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            throw Failure("cannot write \(path)", status: EX_CANTCREAT)
        }
        partialPath = isSpecial ? nil : written
        finalPath = target
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    private var finalPath = ""

    deinit {
        // Removes an incomplete file.
        if let partialPath { unlink(partialPath) }
    }

    /// Appends `bytes`.
    func write(_ bytes: [UInt8]) throws {
        buffer += bytes
        if buffer.count >= Self.bufferBytes { try flush() }
    }

    /// Writes the rest and gives the file its name.
    func close() throws {
        try flush()
        guard let partialPath else { return }
        try handle.synchronize()
        guard rename(partialPath, finalPath) == 0 else {
            throw Failure("cannot write \(finalPath)", status: EX_IOERR)
        }
        // The name, too, must survive a crash.
        let folder = open((finalPath as NSString).deletingLastPathComponent, O_RDONLY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            Foundation.close(folder)
        }
    }

    private func flush() throws {
        do {
            try handle.write(contentsOf: Data(buffer))
        } catch {
            throw Failure(
                message:
                    "cannot write \(path ?? "to standard output"): \(error.localizedDescription)",
                status: EX_IOERR)
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
