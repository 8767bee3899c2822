pub fn layout_json() {}
