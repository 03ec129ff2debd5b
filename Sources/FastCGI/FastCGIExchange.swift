import CFastCGI
import Glibc

/// One worker's `FCGX_Request`, used for one connection after another.
///
/// libfcgi's streams point back to the request, so it lives at an address that never changes.
final class FastCGIExchange: Exchange {
    private let request = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)
    private var isAborted = false

    /// Shorter pieces go through libfcgi's 8 KB stream, longer ones into records of their own.
    private static let recordThreshold = 8000

    /// The most of an unread request body that is read and thrown away: nginx's limit and some.
    private static let discardLimit = 9 << 20

    init() {
        // Descriptor -1: `FCGX_Accept_r` must never accept by itself, only read what we inject.
        FCGX_InitRequest(request, -1, 0)
    }

    deinit {
        FCGX_Free(request, 1)
        request.deallocate()
    }

    /// Reads the request that waits on `connection`; false when the peer went or sent nonsense.
    func accept(_ connection: Int32) -> Bool {
        isAborted = false
        request.pointee.ipcFd = connection
        request.pointee.keepConnection = 1
        request.pointee.appStatus = 0
        // Detached, a close does not wait up to 2 s for the peer to close first.
        request.pointee.detached = 1
        // On a broken peer libfcgi closes the connection, tries descriptor -1 and gets EBADF.
        return FCGX_Accept_r(request) == 0
    }

    func parameter(_ name: String) -> String? {
        guard let value = FCGX_GetParam(name, request.pointee.envp), value.pointee != 0 else {
            return nil
        }
        return String(cString: value)
    }

    var clientDescriptor: Int32? { request.pointee.ipcFd }

    func write(_ bytes: Span<UInt8>) throws(FastCGIError) {
        let code = bytes.withUnsafeBytes { buffer -> Int32 in
            guard buffer.count < Self.recordThreshold else { return writeRecords(buffer) }
            let text = buffer.assumingMemoryBound(to: CChar.self)
            let count = FCGX_PutStr(text.baseAddress, Int32(text.count), request.pointee.out)
            return count == buffer.count ? 0 : failure
        }
        guard code == 0 else { throw FastCGIError("write", code) }
    }

    private func writeRecords(_ buffer: UnsafeRawBufferPointer) -> Int32 {
        guard FCGX_FFlush(request.pointee.out) == 0 else { return failure }
        do throws(FastCGIError) {
            try Record.writeOutput(
                buffer, requestID: request.pointee.requestId, to: request.pointee.ipcFd)
            return 0
        } catch {
            return error.code
        }
    }

    /// The stream's error; never 0, for a short write is one too.
    private var failure: Int32 {
        let code = FCGX_GetError(request.pointee.out)
        return code > 0 ? code : EPIPE
    }

    func abort() { isAborted = true }

    /// Ends the exchange; the connection when it can carry another request, else it is closed.
    func finish() -> Int32? {
        if isAborted {
            closeAsBroken()
            return nil
        }
        // On a closed connection, too: closing over unread bytes resets it, and the peer loses
        // the answer.
        FCGX_FFlush(request.pointee.out)
        if !discardBody() { request.pointee.keepConnection = 0 }
        FCGX_Finish_r(request)
        let connection = request.pointee.ipcFd
        request.pointee.ipcFd = -1
        return connection >= 0 ? connection : nil
    }

    private func closeAsBroken() {
        _ = Record.invalid.withUnsafeBytes {
            send(request.pointee.ipcFd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        FCGX_Free(request, 1)
    }

    /// Reads the request body to its end; false when it is longer than the limit.
    ///
    /// Left-over records would be taken for the next request.
    private func discardBody() -> Bool {
        var buffer = [CChar](repeating: 0, count: 8192)
        var left = Self.discardLimit
        while left > 0 {
            let count = Int(FCGX_GetStr(&buffer, Int32(buffer.count), request.pointee.in))
            left -= count
            if count < buffer.count { return FCGX_GetError(request.pointee.in) == 0 }
        }
        return false
    }
}
