import CFastCGI
import Glibc

/// Makes glibc return large allocations, such as request bodies, to the system once they are freed.
///
/// By default, glibc raises its mmap threshold to the size of each large allocation that is freed,
/// and keeps freed allocations below the threshold.
public func returnLargeMemory() {
    mallopt(M_MMAP_THRESHOLD, 256 * 1024)
}

/// Opens `/dev/null` in place of each standard descriptor that is closed, so that no file or socket
/// opened later gets its number, and with it what is printed or logged.
///
/// Reading from it or writing to it fails, as it would if it were closed. The FastCGI specification
/// lets a server close standard output and standard error.
public func fillStandardDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
        // The lowest free number is this one.
        _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
}
