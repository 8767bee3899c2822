pub struct Forms; pub struct FormError;
