# buyer
