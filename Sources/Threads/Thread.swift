import CThreads
import Glibc

/// Starts a detached thread; 0, or `EAGAIN` at the system's limit of threads.
///
/// The thread inherits the caller's signal mask.
public func startThread(_ body: @escaping @Sendable () -> Void) -> Int32 {
    let task = Unmanaged.passRetained(ThreadBody(body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, 512 * 1024)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let code = pthread_create(&thread, &attributes, runThread, task.toOpaque())
    if code != 0 { task.release() }
    return code
}

/// Blocks this thread for `duration`.
public func pause(for duration: Duration) {
    var end = timespec(CLOCK_MONOTONIC, after: duration)
    while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nil) == EINTR {}
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
    return nil
}
