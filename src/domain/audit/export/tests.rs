//! Exports that are changed in every way there is: none of them verifies, and what is said names the place.
