# Man pages.
dist_man_MANS += doc/man/roost.conf.5
