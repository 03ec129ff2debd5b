import Glibc

/// A file of a spool while it is written; one thread's.
public final class SpoolWriter {
    private let spool: Spool
    private let name: String
    private let descriptor: Int32
    private var byteCount = 0
    private var isBroken = false
    private var isFinished = false

    init(_ spool: Spool, name: String, descriptor: Int32) {
        self.spool = spool
        self.name = name
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
        if !isFinished { spool.remove(name, byteCount: byteCount, isKnown: false) }
    }

    /// Appends `bytes`; what does not fit, or cannot be written, makes `finish` give nothing.
    public func append(_ bytes: Span<UInt8>) {
        guard !isBroken else { return }
        guard spool.reserve(bytes.count) else {
            isBroken = true
            return
        }
        byteCount += bytes.count
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty, !isBroken {
                let written = write(
                    descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if written > 0 { rest.removeFirst(written) } else { isBroken = errno != EINTR }
            }
        }
    }

    /// The whole file; nil when not all of it could be written.
    public func finish() -> SpooledFile? {
        guard !isBroken else { return nil }
        isFinished = true
        return SpooledFile(spool, name: name, byteCount: byteCount)
    }
}

/// A whole file of a spool, which is removed some seconds after the last reference to it has gone.
public final class SpooledFile: Sendable {
    /// Its path below the spool's directory.
    public let name: String

    private let spool: Spool
    private let byteCount: Int

    init(_ spool: Spool, name: String, byteCount: Int) {
        self.spool = spool
        self.name = name
        self.byteCount = byteCount
    }

    deinit { spool.remove(name, byteCount: byteCount, isKnown: true) }
}
