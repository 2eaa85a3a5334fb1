"""The pages of the reading room; each module shows one."""
