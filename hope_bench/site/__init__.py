"""Results in, a static leaderboard out."""

from hope_bench.site.build import SitePages, build_site

__all__ = ["SitePages", "build_site"]
