// Sending a large value over a socket: the system takes it from the file, the program never touches
// a byte of it.
#include <quire/quire.h>

#include <iostream>
#include <string>

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void send(const quire::Snapshot& snapshot, quire::Bytes value, int socket) {
  const quire::ValueLocation place = snapshot.locate(value);
  off_t at = static_cast<off_t>(place.offset_bytes);
  std::size_t left = place.length_bytes;
  while (left > 0) {
    const ssize_t sent = sendfile(socket, place.descriptor, &at, left);
    if (sent <= 0) break;
    left -= static_cast<std::size_t>(sent);
  }
}

std::size_t receive(int socket) {
  char bytes[1 << 16];
  std::size_t received = 0;
  for (ssize_t got = 0; (got = read(socket, bytes, sizeof bytes)) > 0;) {
    received += static_cast<std::size_t>(got);
  }
  return received;
}

}  // namespace

int main() {
  quire::Database db{"films.quire"};
  db.put("film", std::string(5'000'000, 'x'));

  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 1;
  const pid_t client = fork();
  if (client == 0) {
    close(ends[0]);
    std::cout << "received " << receive(ends[1]) << " bytes\n" << std::flush;
    _exit(0);
  }
  close(ends[1]);
  const quire::Snapshot now = db.snapshot();  // while it lasts, so does the value
  const auto film = now.table().get("film");
  if (film) send(now, *film, ends[0]);
  close(ends[0]);
  waitpid(client, nullptr, 0);
}

// Prints:
// received 5000000 bytes
