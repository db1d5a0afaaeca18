"""The recorder process: stores what the rings hold, until nobody posts any more."""
import time, signal
from fastgw.process.lines import is_ended
def main(config, data_dir, shared, lines, log):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    lines.report(kind="ready")
    while not is_ended(lines["crew_end"]): time.sleep(0.05)
