class Shared:
    @classmethod
    def open(cls, config, data_dir, workers): return cls()
    def recover(self, log): pass
    def claim(self, slot, generation): return None, None
    def release(self, slot): pass
    def beat(self, slot): pass
    def mark_ready(self, slot): pass
    def mark_draining(self, slot): pass
    def sweep(self, slot, log): pass
    def describe(self): return {}
    def close(self): pass
