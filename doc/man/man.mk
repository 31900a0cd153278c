# Man pages.
dist_man_MANS += doc/man/roost.8 doc/man/roost.conf.5 doc/man/roostadm.1
